"""Boxes come in over TLS, and only where broker and box know each other."""

import contextlib
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from carbox.box import AnswerKind, Box, BoxAddress, Command, CommandKind, DoorWiring
from carbox.broker_accounts import TlsListener, password_hash
from carbox.broker_certificates import write_certificates
from carbox.local_broker import LocalBroker
from carbox.mqtt_link import BrokerAddress, let_in
from carbox.ovms import OvmsBoxes
from carbox.simulator.box import BoxSettings, SimBox
from carbox.simulator.clock import HastenedClock
from tests.carbox.box_rig import Told, eventually, free_port, real_time

NOW = datetime.now(UTC)  # noqa: TID251 - a certificate is looked at by the clock of the machine


@dataclass
class Rig:
    """A broker with both listeners, and the authority of its certificate."""

    broker: LocalBroker
    tls_port: int
    folder: Path

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ca.pem")

    def box(self, host: str = "127.0.0.1", ca_file: str | None = None, name: str = "box1") -> SimBox:
        settings = BoxSettings(
            host, self.tls_port, name, f"pw-{name}", ca_file=self.ca_file if ca_file is None else ca_file
        )
        made = SimBox(settings, HastenedClock(0.02))
        made.start()
        return made


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("tls")
    write_certificates(folder, ["127.0.0.1", "mqtt.example.org"], NOW)
    port = free_port()
    listener = TlsListener(port, str(folder / "server.pem"), str(folder / "server.key"), "127.0.0.1")
    hashes = {name: password_hash(f"pw-{name}") for name in ("backend", "box1", "box2")}
    broker = LocalBroker(folder, free_port(), backend="backend", hashes=hashes, tls=listener)
    broker.start()
    yield Rig(broker, port, folder)
    broker.stop()


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An authority that the broker has nothing to do with."""
    folder = tmp_path_factory.mktemp("stranger")
    write_certificates(folder, ["127.0.0.1"], NOW)
    return str(folder / "ca.pem")


def test_a_box_and_the_backend_work_over_tls_with_an_authority_of_ones_own(rig: Rig) -> None:
    address = BrokerAddress("127.0.0.1", rig.tls_port, "backend", "pw-backend", ca_file=rig.ca_file)
    driver = OvmsBoxes(address, Told(), real_time)
    driver.start()
    box = rig.box()
    try:
        eventually(lambda: driver.up and box.connected)
        wired = Box(BoxAddress("box1", "CAR"), DoorWiring(pin="4711"))
        answer = driver.send(wired, Command(CommandKind.UNLOCK), command_id="over-tls")
        assert answer.kind is AnswerKind.CONFIRMED
        assert box.firmware.car.locked is False
    finally:
        box.stop()
        driver.stop()


def test_an_account_that_is_taken_out_is_thrown_off_its_tls_connection(rig: Rig) -> None:
    box = rig.box(name="box2")
    try:
        eventually(lambda: box.connected)
        rig.broker.reload({name: password_hash(f"pw-{name}") for name in ("backend", "box1")})
        eventually(lambda: not box.connected, within_s=2)
        box.try_again()
        eventually(lambda: box.refused)
    finally:
        box.stop()


# a handshake that fails leaves paho's socket to the collector
LEFT_OPEN = pytest.mark.filterwarnings(
    "ignore:unclosed <ssl:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@LEFT_OPEN
def test_a_box_stays_away_from_a_broker_of_another_authority(rig: Rig, stranger: str) -> None:
    box = rig.box(ca_file=stranger)
    try:
        eventually(lambda: "certificate verify failed" in box.problem)
        assert not box.connected
    finally:
        box.stop()


@LEFT_OPEN
def test_a_box_stays_away_from_a_broker_of_another_name(rig: Rig) -> None:
    box = rig.box(host="localhost")
    try:
        eventually(lambda: "not valid for 'localhost'" in box.problem)
        assert not box.connected
    finally:
        box.stop()


@LEFT_OPEN
def test_the_backend_stays_away_from_a_broker_it_cannot_check(rig: Rig, stranger: str) -> None:
    address = BrokerAddress("127.0.0.1", rig.tls_port, "backend", "pw-backend", ca_file=stranger)
    assert not let_in(address, within_s=0.2)


def test_plain_text_gets_nothing_from_the_tls_listener(rig: Rig) -> None:
    """It may hang up before all was said, which resets the connection."""
    hello = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04box1"
    got = b""
    with (
        contextlib.suppress(ConnectionResetError),
        socket.create_connection(("127.0.0.1", rig.tls_port), timeout=5) as plain,
    ):
        plain.sendall(hello)
        got = plain.recv(100)
    assert not got.startswith(b"\x20")
    assert let_in(BrokerAddress("127.0.0.1", rig.broker.port, "backend", "pw-backend"))


def certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_the_certificates_say_who_may_what_and_for_how_long(tmp_path: Path) -> None:
    write_certificates(tmp_path, ["mqtt.example.org", "192.0.2.7"], NOW)
    ca, server = certificate(tmp_path / "ca.pem"), certificate(tmp_path / "server.pem")
    server.verify_directly_issued_by(ca)
    limits = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (limits.critical, limits.value.ca, limits.value.path_length) == (True, True, 0)
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    named = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert named.get_values_for_type(x509.DNSName) == ["mqtt.example.org"]
    assert [str(one) for one in named.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]
    uses = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert ca.not_valid_after_utc - NOW > timedelta(days=19 * 365)
    assert timedelta(days=800) < server.not_valid_after_utc - NOW < timedelta(days=826)
    assert server.not_valid_before_utc < NOW


def test_keys_are_readable_for_their_owner_alone(tmp_path: Path) -> None:
    written = write_certificates(tmp_path, ["mqtt.example.org"], NOW)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) & 0o077 for file in written}
    assert (modes["ca.key"], modes["server.key"]) == (0, 0)


def test_nothing_is_ever_written_over(tmp_path: Path) -> None:
    write_certificates(tmp_path, ["mqtt.example.org"], NOW)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match="server"):
        write_certificates(tmp_path, ["mqtt.example.org"], NOW)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_renewed_certificate_comes_from_the_same_authority(tmp_path: Path) -> None:
    write_certificates(tmp_path, ["mqtt.example.org"], NOW)
    ca = (tmp_path / "ca.pem").read_bytes()
    for name in ("server.pem", "server.key"):
        (tmp_path / name).rename(tmp_path / f"{name}.old")
    written = write_certificates(tmp_path, ["mqtt.example.org"], NOW + timedelta(days=19 * 365))
    assert sorted(file.name for file in written) == ["server.key", "server.pem"]
    assert (tmp_path / "ca.pem").read_bytes() == ca
    renewed = certificate(tmp_path / "server.pem")
    assert renewed.not_valid_after_utc <= certificate(tmp_path / "ca.pem").not_valid_after_utc
    (tmp_path / "ca.key").unlink()
    (tmp_path / "server.pem").unlink()
    (tmp_path / "server.key").unlink()
    with pytest.raises(FileNotFoundError):
        write_certificates(tmp_path, ["mqtt.example.org"], NOW)


@pytest.mark.parametrize("host", ["", "a b", "*.example.org", "-x.org", "a\nb", "x" * 65])
def test_a_name_that_no_certificate_can_carry_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValueError, match="host"):
        write_certificates(tmp_path, [host], NOW)
    assert not list(tmp_path.iterdir())
