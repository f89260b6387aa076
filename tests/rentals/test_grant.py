"""Grants: who gets one, when it is the same, what keeps its slot and its cover, and when it is dead."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from app.cars import box as boxes
from app.cars.models import Companion as CompanionRow
from app.communities import leave
from app.coverage.models import Cover
from app.facts import (
    CarBarred,
    CarStolen,
    CoverRefused,
    DriverBlocked,
    LicenceRefused,
    MembershipChanged,
    PersonSuspended,
    PhoneRemoved,
)
from app.kit import clock, keys
from app.kit.clock import z
from app.kit.db import session
from app.kit.deadlines import Deadline
from app.kit.errors import InUse
from app.kit.facts import Fact
from app.kit.keys import Purpose
from app.people.models import Phone
from app.reactions import OTHERS
from app.rentals import cancel, expire, extend, grants_out, outcome, quote
from app.rentals.lifecycle import State
from app.rentals.models import Grant
from carbox.grant import BadGrant, unb64
from carbox.phone import PhoneInHand, unread
from carbox.revocations import MOST_REVOKED
from tests import factories as people
from tests.coverage import factories as insured
from tests.coverage.factories import bearer, seal, signed_in
from tests.rentals.garage import Garage, build, end_with_signal, insurer_says, slot, start_with_signal
from tests.rentals.test_readiness import leave_unpaid, make_uninsurable, silence_box


def unmet(garage: Garage) -> list[str]:
    answer = garage.fetch()
    assert answer.status_code == 409, answer.text
    assert answer.json is not None
    assert all(one["remedy"] for one in answer.json["conditions"])
    return [one["code"] for one in answer.json["conditions"]]


def due_at(garage: Garage, kind: str) -> Any:
    session.expire_all()
    row = session.get(Deadline, (kind, garage.scene.rental_id))
    return None if row is None else row.due_at


# -- who gets one ----------------------------------------------------------------------------------------------------


def without_companion(garage: Garage) -> None:
    session.execute(text("delete from companions"))
    session.commit()


def without_key(garage: Garage) -> None:
    session.get_one(Phone, garage.scene.phone.id).public_key = None
    session.commit()


def unconfirmed(garage: Garage) -> None:
    session.get_one(Phone, garage.scene.phone.id).confirmed_at = None
    session.commit()


def two_days_ahead(garage: Garage) -> None:
    rental = garage.rental
    rental.from_at += timedelta(days=2)
    rental.to_at += timedelta(days=2)
    session.commit()


def unsafe(garage: Garage) -> None:
    garage.scene.car.unsafe = True
    session.commit()


def unpaid(garage: Garage) -> None:
    leave_unpaid(garage.scene)
    session.commit()


def uninsurable(garage: Garage) -> None:
    make_uninsurable(garage.scene)


def settled(garage: Garage) -> None:
    garage.scene.set_state("ended")


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (without_companion, "capability"),
        (without_key, "phone"),
        (unconfirmed, "phone"),
        (two_days_ahead, "time"),
        (unsafe, "safe"),
        (unpaid, "payment"),
        (uninsurable, "cover"),
        (settled, "state"),
    ],
)
def test_what_is_missing_for_a_grant_is_named_and_nothing_is_covered(
    garage: Garage, broken: Any, code: str
) -> None:
    broken(garage)
    assert unmet(garage) == [code]
    assert (garage.covers(), garage.grants()) == ([], [])


def test_a_grant_is_the_drivers_alone(garage: Garage) -> None:
    path = f"/v1/rentals/{garage.scene.rental_id}/grant"
    assert garage.http.get(path, headers=signed_in(garage.scene.olga)).status_code == 403
    stranger = people.person("Charlie Stranger")
    assert garage.http.get(path, headers=signed_in(stranger)).status_code == 404


def test_the_grant_names_box_phone_rental_and_the_window_with_its_grace(garage: Garage) -> None:
    fetched = garage.fetched()
    grant = unread(unb64(fetched["grant"]))
    rental = garage.rental
    assert grant.box_id == garage.companion.box.box_id
    assert grant.not_before == int(rental.from_at.timestamp())
    grace = rental.terms["late_grace_min"] * 60
    assert 0 <= grant.not_after - rental.to_at.timestamp() - grace < 1
    assert unb64(fetched["box_key"]) == garage.companion.key
    assert fetched["revocations"] is None


def test_asked_again_it_is_the_same_and_need_not_be_sent(garage: Garage) -> None:
    first = garage.fetch()
    again = garage.fetch()
    assert again.json == first.json
    assert again.headers["ETag"] == first.headers["ETag"]
    assert len(garage.grants()) == len(garage.covers()) == 1


def test_a_grant_in_hand_stands_in_for_a_box_not_heard_of(garage: Garage) -> None:
    silence_box(garage.scene)
    assert garage.scene.unmet("unlock") == ["box"]
    garage.fetched()
    assert garage.scene.unmet("unlock") == []


# -- the cover on condition --------------------------------------------------------------------------------------------


def test_an_unlock_with_signal_takes_the_conditional_cover_up(garage: Garage) -> None:
    garage.fetched()
    (promised,) = garage.covers()
    command = garage.scene.unlock()
    (bound,) = garage.covers()
    assert (bound.id, bound.state, bound.to_at) == (promised.id, "bound", None)
    assert bound.certificate_id == promised.certificate_id
    outcome.apply(command.id, None, "unreachable")
    voided, again = garage.covers()
    assert (voided.state, again.state) == ("void", "conditional"), "the phone may still open the car"
    assert garage.stands() is State.BOOKED


def test_an_end_with_signal_takes_the_grant_back_and_covers_what_it_may_still_open(garage: Garage) -> None:
    garage.fetched()
    start_with_signal(garage)
    clock.forward(timedelta(minutes=20))
    end_with_signal(garage)
    closed, still = garage.covers()
    assert (closed.state, still.state) == ("closed", "conditional")
    assert garage.grants()[0].revoked_at is not None
    assert garage.http.get(f"/v1/rentals/{garage.scene.rental_id}", headers=garage.headers).json["cover"] == {
        "id": closed.id,
        "state": "closed",
    }
    clock.forward(timedelta(hours=3))
    grants_out.lapse(garage.scene.rental_id)
    assert [one.state for one in garage.covers()] == ["closed", "void"]


def test_the_insurer_reads_a_conditional_cover_and_is_not_told_yes_before_the_box_says_so(
    garage: Garage,
) -> None:
    garage.fetched()
    (promised,) = garage.covers()
    seal()
    ines = bearer(garage.http, insured.client(promised.insurer_id, "coverage:read", "coverage:lookup"))
    clock.forward(timedelta(minutes=5))
    asked = {"plate": garage.scene.car.plate, "country": "FR", "at": z(clock.now())}
    found = insurer_says(garage, "coverage", ines, **asked)
    assert (found["covered"], found["holder"]) == ("unknown", None)
    assert found["cover"]["state"] == "conditional"
    assert found["cover"]["liability"]["to"] == z(promised.conditional_to)
    assert insurer_says(garage, "lookup", ines, **asked)["covered"] == "unknown"
    listed = insurer_says(garage, "covers", ines, state="conditional")["items"]
    assert [one["id"] for one in listed] == [promised.id]
    assert insurer_says(garage, "exposure", ines)["items"] == []
    standing = garage.http.get(f"/v1/certificates/{promised.certificate_id}")
    assert standing.json["status"] == "conditional"


# -- changes -----------------------------------------------------------------------------------------------------------


def longer(garage: Garage, hours: int = 2) -> None:
    rental = garage.rental
    to = rental.to_at + timedelta(hours=hours)
    frozen = quote.quote(garage.scene.max.id, {"rental": rental.id, "to": to})
    _, waits = extend.extend(garage.scene.max.id, rental.id, frozen.id)
    if waits:
        extend.approve(garage.scene.olga.id, rental.id)


def test_an_extension_is_carried_to_a_box_without_signal_by_the_phone(garage: Garage) -> None:
    garage.fetched()
    garage.do("unlock")
    old = garage.phone.fetched
    longer(garage)
    new = garage.fetched()
    assert new["not_after"] > old["not_after"]
    (promised,) = garage.covers()
    assert promised.planned_to == garage.rental.to_at
    clock.forward(timedelta(hours=3))
    garage.phone.fetched = dict(old)
    with pytest.raises(BadGrant, match="time"):
        garage.do("unlock")
    garage.phone.fetched = dict(new)
    garage.do("unlock")


def test_the_phone_of_another_grant_carries_a_revocation_to_the_box(garage: Garage) -> None:
    lost = PhoneInHand(garage.phone.key, garage.fetched())
    grants_out.of_removed_phone(PhoneRemoved(person=garage.scene.max.id, phone=garage.scene.phone.id))
    new_phone(garage)
    assert garage.fetched()["revocations"]
    garage.do("unlock")
    with pytest.raises(BadGrant, match="revoked"):
        lost.do("unlock", garage.companion.answer)
    acknowledged = garage.phone.records[0]
    assert garage.upload(acknowledged, acknowledged) == ["accepted", "duplicate"]
    old, new = garage.grants()
    assert old.dead_at is not None
    assert new.dead_at is None
    assert [one.state for one in garage.covers()] == ["conditional"]


def new_phone(garage: Garage) -> None:
    garage.phone = PhoneInHand()
    session.get_one(Phone, garage.scene.phone.id).public_key = garage.phone.public_key
    session.commit()


def react(fact: Fact) -> None:
    """What follows from it, people's messages aside."""
    for step in OTHERS.get(type(fact), ()):
        step(fact)


def membership_changed(garage: Garage, **change: Any) -> Fact:
    olga, driver, community = garage.scene.olga.id, garage.scene.max.id, garage.scene.community.id
    leave.change(olga, community, driver, change, lambda _: None)
    return MembershipChanged(community, driver, by=olga)


def blocked_by_insurer(garage: Garage, insurer: str | None = None) -> Fact:
    (promised,) = garage.covers()
    return DriverBlocked(insurer or promised.insurer_id, garage.scene.max.id)


@pytest.mark.parametrize("why", ["suspended", "licence", "unsafe", "stolen", "cover", "blocked", "insurer"])
def test_who_may_not_begin_any_more_loses_the_grant(garage: Garage, why: str) -> None:
    garage.fetched()
    driver, rental = garage.scene.max.id, garage.scene.rental_id
    happened: dict[str, Callable[[], Fact]] = {
        "suspended": lambda: PersonSuspended(driver, by="operator", reason="tests"),
        "licence": lambda: LicenceRefused(driver, by="operator"),
        "unsafe": lambda: CarBarred(garage.scene.car_id, by="operator"),
        "stolen": lambda: CarStolen(garage.scene.car_id, by=garage.scene.olga.id),
        "cover": lambda: CoverRefused("cov_0", rental, reason="declined"),
        "blocked": lambda: membership_changed(garage, blocked=True),
        "insurer": lambda: blocked_by_insurer(garage),
    }
    react(happened[why]())
    assert garage.grants()[0].revoked_for == ("unsafe" if why == "stolen" else why)


def test_another_fare_or_the_block_of_another_insurer_takes_no_grant_back(garage: Garage) -> None:
    garage.fetched()
    react(membership_changed(garage, fare="free"))
    react(blocked_by_insurer(garage, insured.insurer("Other").id))
    assert garage.grants()[0].revoked_at is None


def test_who_has_the_car_out_keeps_the_grant_that_ends_it(garage: Garage) -> None:
    garage.fetched()
    start_with_signal(garage)
    grants_out.of_suspended(PersonSuspended(garage.scene.max.id, by="operator", reason="tests"))
    assert garage.grants()[0].revoked_at is None


# -- the slot ----------------------------------------------------------------------------------------------------------


def test_a_cancelled_slot_is_free_at_once_where_no_grant_is_out(garage: Garage) -> None:
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "changed my mind")
    assert slot(garage) == []


def test_a_cancelled_slot_is_kept_until_the_box_acknowledges(garage: Garage) -> None:
    garage.fetched()
    carrier = second_rental(garage)
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "changed my mind")
    assert garage.stands() is State.CANCELLED
    assert slot(garage) == ["rental"]
    assert [one.state for one in garage.covers()] == ["conditional"]
    acknowledged = carried_by(garage, carrier)
    assert slot(garage) == ["rental"], "the box knows, we do not yet"
    assert garage.upload(acknowledged) == ["accepted"]
    assert slot(garage) == []
    (promised,) = garage.covers()
    assert (promised.state, promised.premium, promised.covered_minutes) == ("void", 0, 0)


def second_rental(garage: Garage) -> str:
    """A later rental of the same car and driver, whose phone brings the news to the box."""
    from app.rentals import book

    now = garage.rental.to_at + timedelta(hours=2)
    asked = {"car": garage.scene.car_id, "from_": now, "to": now + timedelta(hours=1)}
    quoted = quote.quote(garage.scene.max.id, asked)
    return book.book(garage.scene.max.id, {"quote": quoted.id, "accept": quoted.conditions}).id


def carried_by(garage: Garage, rental: str) -> str:
    """That rental's grant is fetched, and what comes with it handed to the box; returns what the box signed."""
    session.rollback()
    answer = garage.http.get(f"/v1/rentals/{rental}/grant", headers=garage.headers)
    assert answer.status_code == 200, answer.text
    phone = PhoneInHand(garage.phone.key, dict(answer.json))
    phone.carry(garage.companion.answer)
    return phone.records[0]


def test_a_cancelled_slot_is_free_when_the_grant_has_run_out(garage: Garage) -> None:
    garage.fetched()
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "changed my mind")
    not_after = garage.grants()[0].not_after
    assert due_at(garage, "grant") == not_after + grants_out.EDGE
    grants_out.lapse(garage.scene.rental_id)
    assert slot(garage) == ["rental"]
    clock.forward(not_after + grants_out.EDGE - clock.now() + timedelta(seconds=1))
    grants_out.lapse(garage.scene.rental_id)
    assert slot(garage) == []
    assert [one.state for one in garage.covers()] == ["void"]


def test_nobody_is_absent_while_a_grant_may_have_opened_the_car(garage: Garage) -> None:
    garage.fetched()
    carrier = second_rental(garage)
    clock.forward(timedelta(minutes=61))
    expire.no_show(garage.scene.rental_id)
    assert garage.stands() is State.BOOKED
    assert garage.grants()[0].revoked_for == "no_show"
    assert due_at(garage, "no_show") == garage.grants()[0].not_after + grants_out.EDGE
    assert unmet(garage) == ["time"], "what was taken back is not given out again"
    assert garage.upload(carried_by(garage, carrier)) == ["accepted"]
    assert due_at(garage, "no_show") <= clock.now()
    garage.scene.reads(locked=True)
    expire.no_show(garage.scene.rental_id)
    assert garage.stands() is State.NO_SHOW
    assert slot(garage) == []
    assert [one.state for one in garage.covers()] == ["void"]


def test_the_planned_end_waits_for_the_grant_too(garage: Garage) -> None:
    garage.fetched()
    clock.forward(timedelta(hours=2, minutes=1))
    expire.late(garage.scene.rental_id)
    assert garage.stands() is State.BOOKED
    clock.forward(timedelta(minutes=40))
    grants_out.lapse(garage.scene.rental_id)
    expire.late(garage.scene.rental_id)
    assert garage.stands() is State.CANCELLED
    assert slot(garage) == []


def test_an_acknowledgement_waits_for_the_receipts_the_box_wrote_before(garage: Garage) -> None:
    garage.fetched()
    carrier = second_rental(garage)
    opened = garage.do("unlock")
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "changed my mind")
    assert garage.upload(carried_by(garage, carrier)) == ["accepted"]
    assert slot(garage) == ["rental"], "one of them may have opened the car"
    assert garage.upload(opened) == ["accepted"]
    assert garage.grants()[0].dead_at is not None
    assert [one.state for one in garage.covers()] == ["active"]


def test_an_acknowledgement_of_a_list_we_never_made_is_nothing(garage: Garage) -> None:
    from carbox.grant import Label, signed
    from carbox.revocations import Acknowledgement

    box = garage.companion.box
    plain = Acknowledgement(box.box_id, 7, 0, 0, 0)
    made = Acknowledgement(box.box_id, 7, 0, 0, 0, signed(box.key, Label.ACKNOWLEDGEMENT, plain.body()))
    assert garage.upload(keys.b64(made.encode())) == ["invalid"]


# -- box and keys ------------------------------------------------------------------------------------------------------


def test_a_box_is_not_replaced_while_a_grant_for_it_is_out(garage: Garage) -> None:
    garage.fetched()
    body = {"kind": "simulator", "has_immobiliser": True, "key_sensor": True, "config": {"pin": "4711"}}
    with pytest.raises(InUse) as refused:
        boxes.put(garage.scene.olga.id, garage.scene.car_id, body)
    assert refused.value.members["by"] == [f"rental {garage.scene.rental_id}"]


def test_a_full_list_raises_the_floor_and_a_good_rental_fetches_anew(garage: Garage) -> None:
    first = garage.fetched()
    (row,) = garage.grants()
    fill_the_list(row)
    grants_out.of_removed_phone(PhoneRemoved(person=garage.scene.max.id, phone=garage.scene.phone.id))
    session.expire_all()
    beside = session.get_one(CompanionRow, row.box_id)
    assert beside.floor == 1
    new = garage.fetched()
    assert unread(unb64(new["grant"])).revocation_floor == 1
    garage.do("unlock")
    assert garage.companion.box.floor == 1
    old = PhoneInHand(garage.phone.key, dict(first))
    with pytest.raises(BadGrant, match="revoked"):
        old.do("unlock", garage.companion.answer)
    garage.upload(*garage.phone.records)
    live = select(Grant.id).where(Grant.box_id == row.box_id, Grant.dead_at.is_(None))
    assert len(session.scalars(live).all()) == 1


def fill_the_list(like: Grant) -> None:
    for serial in range(1, MOST_REVOKED + 1):
        names = (
            "rental_id",
            "box_id",
            "phone_id",
            "kid",
            "floor",
            "not_before",
            "not_after",
            "data",
            "issued_at",
        )
        copied = {name: getattr(like, name) for name in names}
        session.add(Grant(**copied, revoked_at=like.issued_at, revoked_for="tests", revoked_serial=serial))
    session.get_one(CompanionRow, like.box_id).serial = MOST_REVOKED
    session.commit()


def test_a_box_without_signal_follows_a_change_of_the_issuing_key(garage: Garage) -> None:
    ring = keys.ring()
    for _ in range(3):
        keys.rotate(Purpose.GRANTS)
        ring.forget()
        garage.fetched()
        garage.phone.carry(garage.companion.answer)
        garage.do("unlock")
    assert len(garage.companion.box.issuers) == 3
    assert len(ring.live(Purpose.GRANTS)) == 2


def test_a_companion_is_paired_once_and_shown_with_the_keys_to_pin(garage: Garage) -> None:
    owner = signed_in(garage.scene.olga)
    shown = garage.http.get(f"/v1/cars/{garage.scene.car_id}/box", headers=owner).json
    assert shown["has_companion"] is True
    assert len(shown["grant_issuers"]) == 2
    other = people.shared(garage.scene.olga, garage.scene.community)
    body = {
        "kind": "simulator",
        "has_immobiliser": True,
        "key_sensor": True,
        "config": {"pin": "4711"},
        "companion": garage.companion.pairing,
    }
    path = f"/v1/cars/{other.id}/box"
    session.rollback()
    assert garage.http.put(path, headers=owner, json=body).json["type"] == "/problems/already-exists"
    forged = {**body, "companion": garage.companion.pairing[:-4] + "AAAA"}
    assert garage.http.put(path, headers=owner, json=forged).status_code == 422


def test_no_cover_is_counted_out_for_a_grant_that_was_never_used(garage: Garage) -> None:
    garage.fetched()
    open_covers = select(Cover.id).where(Cover.rental_id == garage.scene.rental_id, Cover.to_at.is_(None))
    assert session.scalars(open_covers).all() == []


def test_a_companion_with_a_network_of_its_own_reports_and_gets_its_revocations(garage: Garage) -> None:
    def say(*records: str) -> Any:
        session.rollback()
        answer = garage.http.post("/v1/box-records", json={"records": list(records)})
        assert answer.status_code == 200, answer.text
        return answer.json

    assert say(*garage.companion.report()) == {"results": ["duplicate"], "revocations": None}
    garage.fetched()
    cancel.cancel(garage.scene.max.id, garage.scene.rental_id, "changed my mind")
    told = say(*garage.companion.report())
    assert say(garage.companion.take(told["revocations"])) == {"results": ["accepted"], "revocations": None}
    assert slot(garage) == []
    with pytest.raises(BadGrant, match="revoked"):
        garage.do("unlock")
    assert say("A" * 154, garage.companion.report()[0])["results"] == ["invalid", "duplicate"]
    assert say("A" * 154) == {"results": ["invalid"], "revocations": None}
    other = build()
    assert say(garage.companion.report()[0], other.companion.report()[0])["revocations"] is None


def test_receipts_a_box_brings_itself_count_like_those_of_a_phone(garage: Garage) -> None:
    garage.fetched()
    garage.do("unlock")
    records = garage.companion.report()
    answer = garage.http.post("/v1/box-records", json={"records": records})
    assert answer.json["results"] == ["duplicate", "accepted"]
    assert garage.stands() is State.ACTIVE
    assert garage.upload(*garage.phone.records) == ["duplicate"]
