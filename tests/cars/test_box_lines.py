"""What the installer enters: whole, never half an account at the broker, and small enough for a code."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import segno
from flask import Flask

from app.cars import box_lines
from app.cars.models import Box
from app.kit.config import BadSettingsError, Settings, from_environment
from carbox.broker_certificates import write_certificates

NOW = datetime(2026, 8, 1, tzinfo=UTC)
PASSWORD = "p" * 43


@pytest.fixture
def house_settings(app: Flask) -> Settings:
    settings: Settings = app.extensions["glovebox"].settings
    return settings


@pytest.fixture
def authority(tmp_path: Path) -> str:
    write_certificates(tmp_path, ["mqtt.example.org"], NOW)
    return (tmp_path / "ca.pem").read_text().strip()


def box(**values: Any) -> Box:
    given: dict[str, Any] = {"key_sensor": False, "config": {}, "next_username": None, **values}
    return Box(username="box-85705a6707bc624c", vehicle="v07bc624c", **given)


def test_the_lines_of_a_box_that_speaks_plain_text(house_settings: Settings) -> None:
    assert box_lines.config_lines(box(), PASSWORD, house_settings) == [
        "server v3 stop",
        "config set vehicle id v07bc624c",
        "config set server.v3 server 127.0.0.1",
        "config set server.v3 port 1883",
        "config set server.v3 tls no",
        "config set server.v3 user box-85705a6707bc624c",
        f"config set password server.v3 {PASSWORD}",
        "config set server.v3 topic.prefix ovms/box-85705a6707bc624c/v07bc624c/",
        "config set server.v3 updatetime.keepalive 60",
        "config set server.v3 updatetime.immediately yes",
        "config set server.v3 metrics.include.immediately v.e.locked,v.d.*,v.e.on,v.c.charging,m.egpio.input",
        "config set auto server.v3 yes",
        "server v3 start",
    ]


def test_a_public_authority_needs_no_more_than_tls(house_settings: Settings) -> None:
    house = dataclasses.replace(house_settings, mqtt_public_tls=True, mqtt_public_port=8883)
    lines = box_lines.config_lines(box(), PASSWORD, house)
    assert "config set server.v3 tls yes" in lines
    assert not [line for line in lines if line.startswith(("vfs", "tls"))]


def test_an_authority_of_ones_own_is_put_into_the_trust_list_line_by_line(
    house_settings: Settings, authority: str
) -> None:
    house = dataclasses.replace(house_settings, mqtt_public_tls=True, mqtt_public_ca=authority)
    lines = box_lines.config_lines(box(key_sensor=True), PASSWORD, house)
    assert lines[1:3] == ["vfs mkdir /store/trustedca", "vfs rm /store/trustedca/glovebox.pem"]
    end = " /store/trustedca/glovebox.pem"
    appended = [line for line in lines if line.startswith("vfs append")]
    assert [
        line.removeprefix('vfs append "').removesuffix('"' + end) for line in appended
    ] == authority.split("\n")
    assert lines[3 + len(appended)] == "tls trust reload"
    assert max(map(len, lines)) < 200
    assert len("\n".join(lines)) < box_lines.QR_AT_MOST
    assert box_lines.qr(lines) == segno.make("\n".join(lines), error="l", boost_error=False).svg_data_uri(
        scale=3
    )


def test_an_authority_too_long_for_a_code_is_left_out_of_it(house_settings: Settings) -> None:
    long = "\n".join(["-----BEGIN CERTIFICATE-----", *(["A" * 64] * 40), "-----END CERTIFICATE-----"])
    house = dataclasses.replace(house_settings, mqtt_public_tls=True, mqtt_public_ca=long)
    lines = box_lines.config_lines(box(), PASSWORD, house)
    short = [line for line in lines if not line.startswith(("vfs ", "tls "))]
    assert box_lines.qr(lines) == box_lines.qr(short)
    assert len(lines) <= 60


def test_the_largest_code_fits_the_answer() -> None:
    assert len(box_lines.qr(["x" * box_lines.QR_AT_MOST])) < 120_000


def test_the_switch_of_the_keys_is_watched_now_and_after_each_start(house_settings: Settings) -> None:
    lines = box_lines.config_lines(
        box(key_sensor=True, config={"keys": {"port": 6}}), PASSWORD, house_settings
    )
    assert lines[-5:] == [
        "config set egpio monitor.ports 6",
        "config set auto egpio yes",
        "egpio monitor on 6",
        "config set auto server.v3 yes",
        "server v3 start",
    ]


def test_a_second_account_is_entered_under_its_own_tree(house_settings: Settings) -> None:
    lines = box_lines.config_lines(box(next_username="box-85705a6707bc624c-2"), PASSWORD, house_settings)
    assert "config set server.v3 user box-85705a6707bc624c-2" in lines
    assert "config set server.v3 topic.prefix ovms/box-85705a6707bc624c-2/v07bc624c/" in lines


def read(**more: str) -> Settings:
    return from_environment(
        {
            "DATABASE_URL": "postgresql://localhost/x",
            "GLOVEBOX_MODE": "test",
            "GLOVEBOX_PUBLIC_URL": "http://glovebox.test",
            "GLOVEBOX_SECRET_KEY": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
            **{f"GLOVEBOX_MQTT_PUBLIC_{name}": value for name, value in more.items()},
        }
    )


@pytest.mark.parametrize(
    ("given", "tls"),
    [
        ({}, False),
        ({"PORT": "8883"}, True),
        ({"PORT": "8883", "TLS": "no"}, False),
        ({"PORT": "443", "TLS": "yes"}, True),
    ],
)
def test_port_8883_means_tls_unless_it_is_said(given: dict[str, str], tls: bool) -> None:  # noqa: FBT001
    assert read(**given).mqtt_public_tls is tls


def test_the_authority_is_read_at_the_start(authority: str, tmp_path: Path) -> None:
    assert read(CA_FILE=str(tmp_path / "ca.pem")).mqtt_public_ca == authority
    (tmp_path / "two.pem").write_text(f"{authority}\n{authority}\n")
    for name in ("none.pem", "ca.key", "two.pem"):
        with pytest.raises(BadSettingsError, match="MQTT_PUBLIC_CA_FILE"):
            read(CA_FILE=str(tmp_path / name))
