"""What an operator makes for the broker before it starts."""

import dataclasses
from pathlib import Path

import click
import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.broker import make_whole
from app.cars import box as boxes
from app.kit.config import Settings
from carbox.broker_accounts import accounts_in
from carbox.local_broker import LocalBroker
from carbox.mqtt_link import BrokerAddress, let_in
from tests import factories
from tests.carbox.box_rig import free_port
from tests.cars.street import BOX


@pytest.fixture
def keeping(app: Flask, tmp_path: Path) -> Settings:
    """Settings whose broker has its files in a folder of this test."""
    house: Settings = app.extensions["glovebox"].settings
    return dataclasses.replace(house, mqtt_accounts_dir=str(tmp_path), mqtt_password="a-password")


def test_certificates_are_made_once(app: Flask, tmp_path: Path) -> None:
    words = [
        "broker",
        "certificates",
        str(tmp_path / "certs"),
        "--host",
        "mqtt.example.org",
        "--host",
        "10.0.0.7",
    ]
    done = app.test_cli_runner().invoke(args=words)
    assert done.exit_code == 0, done.output
    made = sorted(one.name for one in (tmp_path / "certs").iterdir())
    assert made == ["ca.key", "ca.pem", "server.key", "server.pem"]
    again = app.test_cli_runner().invoke(args=words)
    assert again.exit_code == 1
    assert "move it away" in again.output


def test_missing_accounts_are_written_from_the_database(keeping: Settings, tmp_path: Path) -> None:
    olga = factories.person()
    box, _ = boxes.put(olga.id, factories.car(olga).id, BOX)
    make_whole(keeping, boxes.accounts)
    known = accounts_in((tmp_path / "passwords").read_text())
    assert known[box.username] == box.password_hash
    assert (tmp_path / "passwords").stat().st_mode & 0o077 == 0
    assert (tmp_path / "acl").stat().st_mode & 0o077 == 0
    broker = LocalBroker(tmp_path, free_port(), backend="glovebox", hashes=known)
    broker.start()
    assert let_in(BrokerAddress("127.0.0.1", broker.port, "glovebox", "a-password"))
    broker.stop()


def test_whole_accounts_stay_as_they_are_and_broken_ones_are_mended(
    keeping: Settings, tmp_path: Path
) -> None:
    make_whole(keeping, boxes.accounts)
    passwords = tmp_path / "passwords"
    before = passwords.read_bytes()
    assert "are whole" in make_whole(keeping, boxes.accounts)
    assert passwords.read_bytes() == before
    passwords.write_bytes(before[:40])
    make_whole(keeping, boxes.accounts)
    assert "glovebox" in accounts_in(passwords.read_text())


def test_walls_are_those_of_the_code_whatever_becomes_of_the_database(
    keeping: Settings, tmp_path: Path
) -> None:
    make_whole(keeping, boxes.accounts)
    walls = (tmp_path / "acl").read_text()
    (tmp_path / "acl").write_text(walls.replace("pattern", "# pattern"))
    assert "are whole" in make_whole(keeping, away)
    assert (tmp_path / "acl").read_text() == walls


def away() -> dict[str, str]:
    raise OperationalError("select", None, ConnectionRefusedError())


def test_a_broker_must_not_start_when_neither_files_nor_database_know_its_accounts(
    keeping: Settings, tmp_path: Path
) -> None:
    with pytest.raises(click.ClickException, match="must not start"):
        make_whole(keeping, away)
    assert not (tmp_path / "passwords").exists()
