"""A rental from start to end without signal: the grant before, the receipts after, and all that lies between."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server

from app.cars import custody
from app.facts import ReceiptsMissing, RentalStarted
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session
from app.kit.deadlines import Deadline
from app.rentals import close, lock, offline_receipts, outcome
from app.rentals.lifecycle import State
from app.rentals.models import OfflineReceipt
from carbox import phone
from carbox.box import Answer, AnswerKind
from carbox.grant import BadGrant, Label, b64, signed, unb64
from carbox.grant_exchange import read_receipt
from carbox.phone import PhoneInHand
from tests.coverage import factories as insured
from tests.coverage.factories import bearer, seal
from tests.rentals.garage import (
    MINUTE,
    Garage,
    at_a_price,
    build,
    drive_without_signal,
    facts_of,
    insurer_says,
    slot,
    start_with_signal,
    this_second,
)

# -- from start to end -------------------------------------------------------------------------------------------------


def test_a_rental_starts_and_ends_in_a_garage(garage: Garage) -> None:
    at_a_price(garage)
    garage.fetched()
    clock.forward(10 * MINUTE)
    opened = this_second()
    unlock = garage.do("unlock")
    assert not garage.locked()
    garage.drive(12)
    clock.forward(50 * MINUTE)
    closed = this_second()
    lock = garage.do("lock")
    assert garage.locked()
    assert garage.stands() is State.BOOKED
    clock.forward(5 * MINUTE)

    assert garage.upload(unlock, lock) == ["accepted", "accepted"]
    rental = garage.rental
    assert (rental.stands, rental.started_at, rental.ended_at) == (State.ENDED, opened, closed)
    assert (rental.odometer_start, rental.odometer_end, rental.end_evidence) == (41940, 41952, "box receipt")
    assert rental.final_price["total"]["amount"] == 10 * -(-(closed - rental.from_at) // MINUTE)
    (cover,) = garage.covers()
    assert (cover.state, cover.from_at, cover.to_at) == ("closed", opened, closed)
    minutes = -(-(closed - opened) // MINUTE)
    assert (cover.covered_minutes, cover.charged_minutes) == (minutes, minutes)
    assert (cover.odometer_start_km, cover.odometer_end_km) == (41940, 41952)
    assert garage.custody()[-2:] == [("driver", opened, closed), ("owner", closed, None)]
    assert slot(garage) in (["rental"], [])
    assert [one.dead_at is not None for one in garage.grants()] == [True]


def test_quote_booking_grant_and_receipts_over_http_and_the_insurers_answer(garage: Garage) -> None:
    """The minutes in the garage: unknown while nobody can know, yes once the box's word is here, as known then."""
    later = garage.rental.to_at + timedelta(hours=2)
    span = {"car": garage.scene.car_id, "from": z(later), "to": z(later + timedelta(hours=1))}
    session.rollback()
    quoted = garage.http.post("/v1/quotes", headers=garage.headers, json=span).json
    accepted = [one["version"] for one in quoted["conditions"]]
    made = garage.http.post(
        "/v1/rentals",
        headers={**garage.headers, "Idempotency-Key": "book-for-the-garage"},
        json={"quote": quoted["id"], "accept": accepted},
    )
    assert made.status_code == 201, made.text
    garage.scene.rental_id = made.json["id"]
    garage.fetched()
    clock.forward(later - clock.now() + MINUTE)
    unlock = garage.do("unlock")
    clock.forward(20 * MINUTE)
    driving = clock.now() - 10 * MINUTE
    lock = garage.do("lock")
    seal()
    (promised,) = garage.covers()
    ines = bearer(garage.http, insured.client(promised.insurer_id, "coverage:read"))
    asked = {"plate": garage.scene.car.plate, "country": "FR", "at": z(driving)}
    before = insurer_says(garage, "coverage", ines, **asked)
    assert (before["covered"], before["cover"]["state"]) == ("unknown", "conditional")
    as_of = z(clock.now())
    clock.forward(MINUTE)
    garage.upload(lock, unlock)
    seal()
    after = insurer_says(garage, "coverage", ines, **asked)
    assert (after["covered"], after["cover"]["id"], after["cover"]["state"]) == ("yes", promised.id, "closed")
    assert insurer_says(garage, "coverage", ines, **asked, as_of=as_of)["covered"] == "unknown"
    ends = insurer_says(garage, "coverage", ines, **{**asked, "at": after["cover"]["to"]})
    assert (ends["covered"], ends["holder"]) == ("no", "owner")
    kinds = [one["kind"] for one in insurer_says(garage, f"covers/{promised.id}/events", ines)["items"]]
    assert kinds == ["cover.bound", "cover.activated", "cover.closed"]
    shown = garage.http.get(f"/v1/rentals/{garage.scene.rental_id}", headers=garage.headers).json
    assert (shown["state"], shown["cover"]) == ("ended", {"id": promised.id, "state": "closed"})


def test_the_same_receipts_again_change_nothing(garage: Garage) -> None:
    unlock, lock = drive_without_signal(garage)
    assert garage.upload(unlock, lock, unlock) == ["accepted", "accepted", "duplicate"]
    before = (garage.custody(), garage.rental.final_price, [one.version for one in garage.covers()])
    clock.forward(MINUTE)
    assert garage.upload(lock, unlock) == ["duplicate", "duplicate"]
    assert (garage.custody(), garage.rental.final_price, [one.version for one in garage.covers()]) == before


def test_a_lock_that_comes_before_its_unlock_waits_for_it(garage: Garage) -> None:
    unlock, lock = drive_without_signal(garage)
    assert garage.upload(lock) == ["accepted"]
    assert garage.stands() is State.BOOKED
    assert [one.state for one in garage.covers()] == ["conditional"]
    assert garage.upload(unlock) == ["accepted"]
    rental = garage.rental
    assert rental.stands is State.ENDED
    assert garage.custody()[-2][1:] == (rental.started_at, rental.ended_at)


def test_an_unlock_that_never_comes_is_waited_for_an_hour_and_taken_at_its_earliest(garage: Garage) -> None:
    _, lock = drive_without_signal(garage)
    garage.upload(lock)
    box_id = garage.grants()[0].box_id
    offline_receipts.due(box_id)
    assert garage.stands() is State.BOOKED
    session.expire_all()
    assert session.get_one(Deadline, ("receipts", box_id)).due_at > clock.now()
    clock.forward(61 * MINUTE)
    offline_receipts.due(box_id)
    rental = garage.rental
    assert rental.stands is State.ENDED
    assert rental.started_at == garage.grants()[0].issued_at
    (cover,) = garage.covers()
    assert (cover.from_at, cover.to_at) == (rental.started_at, rental.ended_at)
    assert [(one["after"], one["before"]) for one in facts_of(ReceiptsMissing, rental.id)] == [(0, 2)]


def test_a_missing_unlock_that_comes_after_all_moves_the_beginning(garage: Garage) -> None:
    garage.fetched()
    first = garage.do("unlock")
    opened = this_second()
    clock.forward(20 * MINUTE)
    garage.do("pause")
    clock.forward(MINUTE)
    second = garage.do("unlock")
    garage.upload(second)
    clock.forward(61 * MINUTE)
    offline_receipts.due(garage.grants()[0].box_id)
    assert garage.stands() is State.ACTIVE
    assert garage.upload(first) == ["accepted"]
    rental = garage.rental
    assert abs(rental.started_at - max(opened, garage.grants()[0].issued_at)) < timedelta(seconds=1)
    assert [one.from_at for one in garage.covers()] == [rental.started_at]
    (_, _, until), (_, begun, middle), (_, again, open_end) = garage.custody()[-3:]
    assert (until, begun, again, open_end) == (rental.started_at, rental.started_at, middle, None)


# -- what is no receipt ------------------------------------------------------------------------------------------------


def test_what_no_box_of_ours_signed_is_invalid_and_moves_nothing(garage: Garage) -> None:
    unlock, _ = drive_without_signal(garage)
    true = read_receipt(unb64(unlock))
    box, stranger = garage.companion.box, PhoneInHand().key

    def resigned(key: Any, **changes: Any) -> str:
        plain = replace(true, **changes)
        return b64(replace(plain, signature=signed(key, Label.RECEIPT, plain.body())).encode())

    wrong = {
        "altered": b64(replace(true, box_time=true.box_time + 60).encode()),
        "forged": resigned(stranger),
        "of a box we do not know": resigned(box.key, box_id=bytes(16)),
        "of a grant we never gave": resigned(box.key, grant_id=bytes(16)),
        "without a number": resigned(box.key, sequence=0),
        "cut": unlock[:-8],
        "no base64url": "!" * 154,
        "no bytes at all": "A",
    }
    wrong["with numbers beyond all"] = resigned(stranger, sequence=2**32 - 1, box_time=2**64 - 1)
    assert dict(zip(wrong, garage.upload(*wrong.values()), strict=True)) == dict.fromkeys(wrong, "invalid")
    assert garage.stands() is State.BOOKED
    assert garage.upload(unlock) == ["accepted"]
    assert garage.upload(resigned(box.key, odometer_km=1)) == ["invalid"], (
        "the number was used for something else"
    )
    assert garage.upload(resigned(box.key)) == ["duplicate"], "the same word under another signature"


def test_another_boxs_receipt_of_this_rentals_grant_is_invalid(garage: Garage) -> None:
    unlock, _ = drive_without_signal(garage)
    other = build()
    plain = replace(read_receipt(unb64(unlock)), box_id=other.companion.box.box_id)
    key = other.companion.box.key
    made = replace(plain, signature=signed(key, Label.RECEIPT, plain.body()))
    assert garage.upload(b64(made.encode())) == ["invalid"]


def test_at_most_a_hundred_are_taken_at_once_and_only_text(garage: Garage) -> None:
    for wrong in (["A"] * 101, ["A" * 701], [7], "A"):
        session.rollback()
        answer = garage.http.post("/v1/me/offline-receipts", json={"receipts": wrong}, headers=garage.headers)
        assert answer.status_code == 422


# -- the box's clock ---------------------------------------------------------------------------------------------------


@pytest.mark.must_hold("clock off by five minutes: the box's is fast")
def test_a_fast_clock_counts_no_further_than_the_receipts_arrival(garage: Garage) -> None:
    garage.fetched()
    garage.skew = 5 * MINUTE
    clock.forward(10 * MINUTE)
    unlock = garage.do("unlock")
    garage.upload(unlock)
    arrived = session.scalars(select(OfflineReceipt.received_at)).all()[-1]
    assert garage.rental.started_at == arrived
    clock.forward(30 * MINUTE)
    lock = garage.do("lock")
    clock.forward(2 * MINUTE)
    garage.upload(lock)
    ended = garage.rental.ended_at
    assert ended == max(session.scalars(select(OfflineReceipt.received_at)).all())
    assert garage.covers()[0].to_at == ended


@pytest.mark.must_hold("clock off by five minutes: the box's is slow")
def test_a_slow_clock_counts_no_earlier_than_the_last_contact(garage: Garage) -> None:
    garage.fetched()
    issued = garage.grants()[0].issued_at
    garage.skew = -2 * MINUTE
    unlock = garage.do("unlock")
    garage.upload(unlock)
    assert garage.rental.started_at == issued, "a grant opens nothing before there is one"
    garage.skew = -5 * MINUTE
    clock.forward(30 * MINUTE)
    garage.scene.reads(locked=False, drivable=True)
    heard = garage.scene.box.last_heard_at
    clock.forward(2 * MINUTE)
    lock = garage.do("lock")
    clock.forward(10 * MINUTE)
    garage.upload(lock)
    assert abs(garage.rental.ended_at - heard) < timedelta(seconds=1), "it was heard driving then"


@pytest.mark.must_hold("clock off by five minutes: the box's is slow, nothing contradicts it")
def test_what_the_box_says_counts_where_contact_and_arrival_leave_room(garage: Garage) -> None:
    garage.skew = -5 * MINUTE
    unlock, lock = drive_without_signal(garage)
    garage.upload(unlock, lock)
    rows = session.scalars(select(OfflineReceipt).order_by(OfflineReceipt.received_at.desc()).limit(2)).all()
    assert [one.at == one.box_time for one in rows] == [True, True]


# -- with signal and without -------------------------------------------------------------------------------------------


def test_a_rental_begun_with_signal_ends_in_a_garage(garage: Garage) -> None:
    garage.fetched()
    start_with_signal(garage)
    clock.forward(30 * MINUTE)
    closed = this_second()
    lock = garage.do("lock")
    clock.forward(10 * MINUTE)
    assert garage.upload(lock) == ["accepted"]
    assert (garage.stands(), garage.rental.ended_at) == (State.ENDED, closed)
    assert [one.state for one in garage.covers()] == ["closed"]


def test_an_unlock_that_failed_after_the_doors_were_open_takes_nothing_from_the_custody(
    garage: Garage,
) -> None:
    garage.fetched()
    unlock = garage.do("unlock")
    clock.forward(5 * MINUTE)
    outcome.apply(garage.scene.unlock().id, None, "unreachable")
    clock.forward(MINUTE)
    assert garage.upload(unlock) == ["accepted"]
    rental = garage.rental
    assert rental.stands is State.ACTIVE
    assert [(one.state, one.from_at) for one in garage.covers()][-1] == ("active", rental.started_at)
    held = [(from_at, to_at) for holder, from_at, to_at in garage.custody() if holder == "driver"]
    assert held[0][0] == rental.started_at
    assert held[-1][1] is None
    assert custody.lent_to(garage.scene.car.no) is not None
    asked = rental.started_at + 3 * MINUTE
    found = custody.at(garage.scene.car.no, asked)
    assert found is not None
    assert found.rental_id == rental.id


def test_getting_back_in_by_a_slow_clock_moves_no_beginning(garage: Garage) -> None:
    garage.fetched()
    clock.forward(60 * MINUTE)
    start_with_signal(garage)
    started = garage.rental.started_at
    garage.skew = -45 * MINUTE
    clock.forward(10 * MINUTE)
    garage.upload(garage.do("unlock"))
    assert garage.rental.started_at == started
    assert garage.covers()[0].from_at <= started


def test_an_unlock_whose_answer_was_lost_is_known_by_the_boxs_receipt(garage: Garage) -> None:
    garage.fetched()
    garage.scene.unlock()
    unlock = garage.do("unlock")
    lock = garage.do("lock")
    assert garage.upload(unlock) == ["accepted"]
    assert garage.stands() is State.ACTIVE
    assert garage.upload(lock) == ["accepted"]
    assert garage.stands() is State.ENDED


def test_getting_in_without_signal_begins_a_rental_whose_doors_nobody_saw_open(garage: Garage) -> None:
    garage.fetched()
    outcome.apply(garage.scene.unlock().id, Answer(AnswerKind.SILENT))
    asked = lock.lock(garage.scene.caller(), garage.scene.rental_id, keys_in_glove_box=True)
    outcome.apply(asked.id, Answer(AnswerKind.SILENT))
    clock.forward(5 * MINUTE)
    opened = this_second()
    assert garage.upload(garage.do("unlock")) == ["accepted"]
    assert (garage.stands(), garage.rental.started_at) == (State.ACTIVE, opened)
    assert garage.covers()[-1].state == "active"
    assert len(facts_of(RentalStarted, garage.scene.rental_id)) == 1


def test_pausing_and_getting_back_in_go_on_with_the_same_cover(garage: Garage) -> None:
    garage.fetched()
    records = [garage.do(verb) for verb in ("unlock", "pause")]
    garage.upload(*records)
    assert (garage.stands(), garage.rental.paused) == (State.ACTIVE, True)
    garage.upload(garage.do("unlock"))
    assert (garage.stands(), garage.rental.paused) == (State.ACTIVE, False)
    assert [one.state for one in garage.covers()] == ["active"]


def test_a_box_ends_nothing_while_a_door_is_open_or_the_keys_are_away(garage: Garage) -> None:
    garage.fetched()
    garage.do("unlock")
    garage.car.keys_in_glove_box = False
    with pytest.raises(BadGrant, match="glove box"):
        garage.do("lock")
    garage.car.keys_in_glove_box = True
    garage.do("lock")
    with pytest.raises(BadGrant, match="ended"):
        garage.do("unlock")


def test_a_close_by_hand_is_corrected_by_the_boxs_record(garage: Garage) -> None:
    unlock, lock = drive_without_signal(garage, minutes=30)
    garage.upload(unlock)
    clock.forward(2 * timedelta(hours=1))
    close.close(garage.scene.olga.id, garage.scene.rental_id)
    clock.forward(16 * MINUTE)
    close.hand_back(garage.scene.rental_id)
    by_hand = garage.covers()[0].to_at
    garage.upload(lock)
    locked_at = session.scalars(
        select(OfflineReceipt.at).where(OfflineReceipt.operation == "end_rental")
    ).all()[-1]
    closed = garage.covers()[0]
    assert closed.to_at == locked_at < by_hand
    assert garage.custody()[-2:] == [
        ("driver", closed.from_at, locked_at),
        ("owner", locked_at, None),
    ]


def test_the_phone_on_the_command_line_fetches_and_hands_on_over_http(
    app: Flask,
    garage: Garage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "phone.json"
    garage.phone.save(file)
    server = make_server("127.0.0.1", 0, app, threaded=True)

    def says(*words: str) -> Any:
        url, token = f"http://127.0.0.1:{server.port}", garage.scene.token
        given = ("--file", str(file), "--server", url, "--token", token, "--rental", garage.scene.rental_id)
        monkeypatch.setattr(sys, "argv", ["carbox.phone", *words, *given])
        assert phone.main() == 0
        return json.loads(capsys.readouterr().out)

    session.rollback()
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(server.serve_forever)
        fetched = says("fetch")
        garage.phone.fetched = fetched
        garage.do("unlock")
        garage.phone.save(file)
        assert says("upload") == {"results": ["accepted"]}
        assert phone.load(file).records == []
        server.shutdown()
        serving.result()
    server.server_close()
    assert garage.stands() is State.ACTIVE
