"""A phone on the command line and a companion beside a simulated car: the whole exchange, and nothing but frames between."""

import json
import secrets
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from carbox import grant_frames, phone
from carbox.grant import (
    BadGrant,
    Grant,
    Right,
    b64,
    compressed,
    issue,
    key_id,
    read_pairing,
    rental_hash,
    unb64,
)
from carbox.grant_exchange import read_receipt
from carbox.phone import PhoneInHand, load, near
from carbox.revocations import Revocations, issue_revocations, read_acknowledgement
from carbox.simulator.car import Car
from carbox.simulator.clock import HastenedClock
from carbox.simulator.companion import Companion, NearPhones
from carbox.simulator.process import ControlRefused, Simulator
from carbox.simulator.profiles import PROFILES
from tests.carbox.box_rig import Cast

ISSUER, NEXT = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
NOW = 1_800_000_000
ALL = Right.UNLOCK | Right.LOCK | Right.ENABLE_DRIVE | Right.END_RENTAL


def standing_car() -> Car:
    kind = PROFILES["DEMO"]
    return Car(HastenedClock(), "WME4533911K000000", kind.capacity_kwh, kind.range_km)


@pytest.fixture
def companion() -> Companion:
    pinned = [compressed(key.public_key()) for key in (ISSUER, NEXT)]
    return Companion(standing_car(), pinned, clock=lambda: NOW)


def granted(companion: Companion, holder: PhoneInHand, **changes: Any) -> PhoneInHand:
    """What a GET of the grant would have answered this phone."""
    return granted_by(companion.box.box_id, companion.key, holder, **changes)


def granted_by(box_id: bytes, box_key: bytes, holder: PhoneInHand, **changes: Any) -> PhoneInHand:
    values: dict[str, Any] = {
        "issuer_key_id": key_id(ISSUER.public_key()),
        "grant_id": secrets.token_bytes(16),
        "box_id": box_id,
        "rental_hash": rental_hash("ren_1"),
        "holder_key": compressed(holder.key.public_key()),
        "rights": ALL,
        "not_before": NOW,
        "not_after": NOW + 3600,
        "revocation_floor": 0,
    }
    data = issue(ISSUER, Grant(**values | changes))
    holder.fetched = {"grant": b64(data), "box_key": b64(box_key), "revocations": None}
    return holder


def listed(companion: Companion, serial: int, *numbers: bytes, floor: int = 0) -> str:
    following = compressed(NEXT.public_key())
    found = Revocations(key_id(ISSUER.public_key()), companion.box.box_id, serial, floor, following, numbers)
    return b64(issue_revocations(ISSUER, found))


def test_the_phone_opens_drives_and_ends(companion: Companion) -> None:
    holder = granted(companion, PhoneInHand())
    holder.do("unlock", companion.answer)
    moved = [companion.car.locked]
    holder.do("pause", companion.answer)
    holder.do("unlock", companion.answer)
    holder.do("lock", companion.answer)
    assert [*moved, companion.car.locked] == [False, True]
    assert [read_receipt(unb64(one)).sequence for one in holder.records] == [1, 2, 3, 4]
    number = phone.unread(unb64(holder.fetched["grant"])).grant_id
    kept = grant_frames.content(companion.answer(grant_frames.receipts(number)))
    assert [b64(one) for one in grant_frames.receipts_of(kept)] == holder.records


def test_a_phone_that_meets_another_box_asks_it_nothing(companion: Companion) -> None:
    holder = granted(companion, PhoneInHand())
    holder.fetched["box_key"] = b64(compressed(NEXT.public_key()))
    with pytest.raises(BadGrant, match="not the box"):
        holder.do("unlock", companion.answer)
    assert companion.car.locked


def test_who_is_not_ready_to_end_has_not_ended(companion: Companion) -> None:
    holder = granted(companion, PhoneInHand())
    holder.do("unlock", companion.answer)
    companion.car.set_door("fl", is_open=True)
    with pytest.raises(BadGrant, match="door"):
        holder.do("lock", companion.answer)
    companion.car.set_door("fl", is_open=False)
    companion.car.ignite(on=True)
    with pytest.raises(BadGrant, match="on"):
        holder.do("lock", companion.answer)
    companion.car.ignite(on=False)
    assert companion.box.sequence == 1
    holder.do("lock", companion.answer)


def test_an_end_closes_every_grant_of_its_rental(companion: Companion) -> None:
    first, longer = granted(companion, PhoneInHand()), granted(companion, PhoneInHand(), not_after=NOW + 9000)
    first.do("unlock", companion.answer)
    first.do("lock", companion.answer)
    with pytest.raises(BadGrant, match="ended"):
        longer.do("unlock", companion.answer)


def test_a_list_is_taken_once_and_an_older_one_changes_nothing(companion: Companion) -> None:
    holder = granted(companion, PhoneInHand())
    number = phone.unread(unb64(holder.fetched["grant"])).grant_id
    carrier = granted(companion, PhoneInHand())
    carrier.fetched["revocations"] = listed(companion, 3, number)
    carrier.do("unlock", companion.answer)
    assert read_acknowledgement(unb64(carrier.records[0])).serial == 3
    carrier.fetched["revocations"] = listed(companion, 2)
    assert read_acknowledgement(carrier.carry(companion.answer)).serial == 3
    with pytest.raises(BadGrant, match="revoked"):
        holder.do("unlock", companion.answer)


@pytest.mark.parametrize(
    "question",
    [b"", b"\x01", b"\x01" * 170, b"\x02" + b"\x00" * 66, b"\x03" + b"A" * 200, b"\x09"],
    ids=lambda question: question[:4].hex() or "nothing",
)
def test_whatever_comes_the_box_answers_why_not(companion: Companion, question: bytes) -> None:
    with pytest.raises(BadGrant):
        grant_frames.content(companion.answer(question))


def test_a_list_for_another_box_or_of_a_stranger_is_refused(companion: Companion) -> None:
    other = Companion(companion.car, [compressed(ISSUER.public_key())], clock=lambda: NOW)
    for wrong in (listed(other, 9), b64(unb64(listed(companion, 9))[:-1] + b"\x00")):
        with pytest.raises(BadGrant):
            companion.take(wrong)
    assert companion.box.serial == 0


def test_the_command_line_keeps_its_things_in_a_file_and_talks_over_a_port(
    companion: Companion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "phone.json"

    def says(*words: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["carbox.phone", *words, "--file", str(file)])
        status = phone.main()
        out = capsys.readouterr()
        return json.loads(out.out) if status == 0 else out.err

    assert says("key")["public_key"] == load(file).public_key
    granted(companion, kept := load(file)).save(file)
    with NearPhones(0, companion) as beside:
        thread = threading.Thread(target=beside.serve_forever, daemon=True)
        thread.start()
        port = str(beside.server_address[1])
        assert says("unlock", "--box", port)["receipt"] == load(file).records[0]
        companion.car.set_door("fl", is_open=True)
        assert says("lock", "--box", port) == "a door is open\n"
        with near(int(port)) as box:
            assert grant_frames.content(box(grant_frames.receipts(bytes(16)))) == b""
        beside.shutdown()
        thread.join()
    assert kept.public_key == load(file).public_key
    assert file.stat().st_mode & 0o077 == 0


def test_a_companion_beside_a_box_of_the_simulator_moves_that_boxs_car(
    cast: Cast, simulator: Simulator
) -> None:
    pinned = b64(compressed(ISSUER.public_key()))
    beside = simulator.call("POST", "companions")
    simulator.call("POST", "companions", companion=beside["companion"], issuers=[pinned])
    name = cast.box(companion=beside["companion"]).address.username
    assert simulator.call("GET", "companions") == [{**beside, "beside": name}]
    box_id, key = read_pairing(unb64(beside["companion"]))
    now = int(time.time())
    holder = granted_by(box_id, compressed(key), PhoneInHand(), not_before=now, not_after=now + 60)
    simulator.move(name, "garage", inside=True)
    with near(beside["port"]) as box:
        holder.do("unlock", box)
    assert simulator.state(name)["car"]["locked"] is False
    assert len(simulator.state(name)["car"]["openings"]) == 1
    with pytest.raises(ControlRefused, match="422"):
        simulator.call("POST", "companions", issuers=["no key"])
