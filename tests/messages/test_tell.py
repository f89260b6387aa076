from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import facts
from app.billing.models import Payment
from app.communities import invite
from app.coverage.driver_models import NamedDriver
from app.kit import facts as kit_facts
from app.kit.db import session
from app.messages import words
from app.messages.kinds import OWN
from app.messages.models import Message
from app.messages.tell import REACTIONS
from app.messages.told import TABLE
from app.rentals import lock, outcome, pause
from app.rentals.models import Rental
from carbox.box import Answer, AnswerKind, Evidence
from notifications.kinds import KINDS
from tests import factories
from tests.messages import stage
from tests.messages.stage import START
from tests.rentals import scene


@dataclass(frozen=True)
class Row:
    """A fact about a rental, and what each side is told."""

    fact: type[Any]
    driver: str | None
    owner: str | None
    values: dict[str, Any]
    following: str | None = None


COMMAND = {"command": "cmd_" + "0" * 32}
RENTAL_FACTS = [
    Row(facts.RentalAsked, None, "rental_asked.owner", {}),
    Row(facts.RentalBooked, "rental_booked.driver", "rental_booked.owner", {"approved_by": None}),
    Row(facts.RentalBooked, "rental_approved.driver", None, {"approved_by": "olga"}),
    Row(facts.RentalDeclined, "rental_declined.driver", None, {"by": "olga"}),
    Row(facts.RentalWithdrawn, None, "rental_withdrawn.owner", {}),
    Row(facts.RentalLapsed, "rental_lapsed.driver", "rental_lapsed.owner", {}),
    Row(
        facts.RentalCancelled,
        "rental_cancelled.driver",
        "rental_cancelled.owner",
        {"by": "driver", "reason": "", "owed": 0},
    ),
    Row(facts.RentalNoShow, "rental_no_show.driver", "rental_no_show.owner", {"owed": 0}),
    Row(facts.RentalAboutToStart, "rental_about_to_start.driver", "rental_about_to_start.owner", {}),
    Row(facts.UnlockFailed, "unlock_failed.driver", "unlock_failed.owner", {**COMMAND, "reason": "not_done"}),
    Row(facts.DoorUnknown, "unlock_unknown.driver", None, {**COMMAND, "what": "unlock"}),
    Row(facts.DoorUnknown, "lock_unknown.driver", None, {**COMMAND, "what": "lock"}),
    Row(facts.RentalStarted, "rental_unlocked.driver", "rental_unlocked.owner", {**COMMAND, "at": START}),
    Row(facts.RentalPaused, "rental_paused.driver", "rental_paused.owner", COMMAND),
    Row(facts.RentalResumed, "rental_resumed.driver", "rental_resumed.owner", COMMAND),
    Row(
        facts.LeftTerritory,
        "left_territory.driver",
        "left_territory.owner",
        {"country": "CH", "at": START},
    ),
    Row(facts.LockRefused, "lock_refused.driver", None, {**COMMAND, "reasons": "doors,keys"}),
    Row(
        facts.RentalEnded,
        "rental_ended.driver",
        "rental_ended.owner",
        {"at": START, "total": 1250, "currency": "EUR", "by": "driver"},
    ),
    Row(
        facts.RentalEnded,
        "rental_closed_by_hand.driver",
        "rental_closed_by_hand.owner",
        {"at": START, "total": None, "currency": None, "by": "owner"},
    ),
    Row(facts.RentalLate, "rental_late.driver", "rental_late.owner", {}, "rental_late.next_driver"),
    Row(facts.StillHasCar, None, "still_has_car.owner", {}),
    Row(facts.ExtensionAsked, None, "extension_asked.owner", {"to": START}),
    Row(facts.RentalExtended, "extension_approved.driver", "extension_approved.owner", {"to": START}),
    Row(facts.ExtensionDeclined, "extension_declined.driver", None, {}),
    Row(facts.CoverLimitReached, None, "cover_limit.owner", {"reasons": "too_many_unacknowledged"}),
    Row(facts.CoverUnconfirmed, "cover_unconfirmed.driver", "cover_unconfirmed.owner", {}),
    Row(
        facts.CoverRefused,
        "cover_refused.driver",
        "cover_refused.owner",
        {"cover": "cov_" + "0" * 32, "reason": "sanction"},
    ),
    Row(
        facts.PaymentRefunded,
        "payment_refunded.driver",
        None,
        {"payment": "pay_" + "0" * 32, "amount": 500, "currency": "EUR"},
    ),
    Row(
        facts.PaymentWrittenOff,
        "payment_written_off.driver",
        None,
        {"payment": "pay_" + "0" * 32, "amount": 500, "currency": "EUR"},
    ),
    Row(facts.PaymentReleased, "payment_released.driver", None, {"payment": "pay_" + "0" * 32}),
    Row(facts.ReceiptReady, "receipt_ready", "receipt_ready", {}),
    Row(facts.CustodyLookedUp, "custody_looked_up.driver", None, {"by": "olga", "instant": START}),
]


@pytest.mark.parametrize("row", RENTAL_FACTS, ids=lambda row: f"{row.fact.__name__}-{row.driver}-{row.owner}")
def test_a_fact_of_a_rental_tells_the_right_people_once_and_the_stranger_nothing(
    app: Flask, row: Row
) -> None:
    cast = stage.cast()
    values = {name: cast.olga.id if value == "olga" else value for name, value in row.values.items()}
    seq = stage.happen(row.fact(rental=cast.rental, **values))
    stage.forget_reactions(seq)
    kit_facts.react(seq)
    kit_facts.react(seq)
    found = {one.name: stage.told(one, seq) for one in cast.everyone()}
    assert found == {
        "Olga Owner": [row.owner] if row.owner else [],
        "Max Member": [row.driver] if row.driver else [],
        "Nina Next": [row.following] if row.following else [],
        "Charlie Stranger": [],
    }
    for message in (one for person in cast.everyone() for one in stage.messages(person)):
        for language in ("en", "fr", "de-CH"):
            text = words.of(message.kind, message.params, language)
            assert text.title
            assert "{" not in text.title + text.body


def test_a_payment_is_told_to_who_pays_and_its_share_to_who_earns(app: Flask) -> None:
    cast = stage.cast()
    _, seq = stage.paid(cast)
    kit_facts.react(seq)
    assert [stage.told(one, seq) for one in cast.everyone()] == [
        ["payment_done.owner"],
        ["payment_done.driver"],
        [],
        [],
    ]
    [earned], [paid] = stage.messages(cast.olga), stage.messages(cast.max)
    assert paid.params["amount"] == {"amount": 1250, "currency": "EUR"}
    assert 0 < earned.params["amount"]["amount"] < 1250


@pytest.mark.parametrize(
    ("fact", "kind"),
    [
        (facts.PaymentFailed, "payment_failed.driver"),
        (facts.PaymentActionRequired, "payment_action_required.driver"),
    ],
)
def test_trouble_with_the_payment_is_the_drivers_alone(app: Flask, fact: type[Any], kind: str) -> None:
    cast = stage.cast()
    payment, _ = stage.paid(cast)
    why = {"code": "insufficient_funds"} if fact is facts.PaymentFailed else {}
    seq = stage.happen(fact(payment=payment, rental=cast.rental, **why))
    assert [stage.told(one, seq) for one in cast.everyone()] == [[], [kind], [], []]
    assert stage.messages(cast.max)[-1].params["amount"] == {"amount": 2000, "currency": "EUR"}


def test_a_deposit_is_told_when_held_first_and_when_given_back(app: Flask) -> None:
    cast = stage.cast()
    payment, _ = stage.paid(cast)
    session.get_one(Payment, payment).purpose = "deposit"
    session.commit()
    held = [stage.happen(facts.PaymentHeld(payment=payment, rental=cast.rental)) for _ in range(2)]
    session.get_one(Payment, payment).owed = 0
    session.commit()
    freed = stage.happen(facts.PaymentReleased(payment=payment, rental=cast.rental))
    told = [[stage.told(one, seq) for one in cast.everyone()] for seq in (*held, freed)]
    assert told == [
        [[], ["deposit_held.driver"], [], []],
        [[], [], [], []],
        [[], ["deposit_released.driver"], [], []],
    ]
    assert stage.messages(cast.max)[-1].params["amount"] == {"amount": 2000, "currency": "EUR"}


def test_both_sides_are_told_that_a_hearing_goes_on_without_the_deposit(app: Flask) -> None:
    cast = stage.cast()
    payment, _ = stage.paid(cast)
    session.get_one(Payment, payment).owed = 0
    session.commit()
    seq = stage.happen(facts.DepositLetGo(payment=payment, rental=cast.rental))
    told = [stage.told(one, seq) for one in cast.everyone()]
    assert told == [["deposit_let_go.owner"], ["deposit_let_go.driver"], [], []]
    assert stage.messages(cast.max)[-1].params["amount"] == {"amount": 2000, "currency": "EUR"}


def test_a_further_driver_the_owner_and_who_booked_hear_what_others_did(app: Flask) -> None:
    cast = stage.cast()
    about = {"rental": cast.rental, "person": cast.nina.id}

    def told(fact: Any) -> list[list[str]]:
        seq = stage.happen(fact)
        return [stage.told(one, seq) for one in cast.everyone()]

    named = told(facts.DriverNamed(**about, by=cast.max.id))
    assert named == [["driver_named.owner"], [], ["driver_named"], []]
    by_booker = told(facts.DriverTakenOff(**about, by=cast.max.id, reasons=None))
    assert by_booker == [["driver_taken_off.owner"], [], ["driver_taken_off"], []]
    by_themself = told(facts.DriverTakenOff(**about, by=cast.nina.id, reasons=None))
    assert by_themself == [["driver_taken_off.owner"], ["driver_taken_off.driver"], [], []]
    by_rule = told(facts.DriverTakenOff(**about, by="system", reasons="licence_expires"))
    assert by_rule == [["driver_taken_off.owner"], ["driver_taken_off.driver"], ["driver_taken_off"], []]
    for message in (one for person in cast.everyone() for one in stage.messages(person)):
        for language in ("en", "fr", "de-CH"):
            text = words.of(message.kind, message.params, language)
            assert "{" not in text.title + text.body


@pytest.mark.parametrize(
    ("fact", "values"),
    [
        (facts.RentalDeclined, {"by": "owner"}),
        (facts.RentalWithdrawn, {}),
        (facts.RentalLapsed, {}),
        (facts.RentalCancelled, {"by": "driver", "reason": "", "owed": 0}),
        (facts.RentalNoShow, {"owed": 0}),
    ],
)
def test_a_further_driver_hears_that_a_rental_is_not_to_be(
    app: Flask, fact: type[Any], values: dict[str, Any]
) -> None:
    cast = stage.cast()
    session.add(NamedDriver(rental_id=cast.rental, person_id=cast.nina.id, named_at=START))
    session.commit()
    seq = stage.happen(fact(rental=cast.rental, **values))
    assert stage.told(cast.nina, seq) == ["driver_taken_off"]


def test_that_the_rent_is_held_is_no_news(app: Flask) -> None:
    cast = stage.cast()
    payment, _ = stage.paid(cast)
    seq = stage.happen(facts.PaymentHeld(payment=payment, rental=cast.rental))
    assert [stage.told(one, seq) for one in cast.everyone()] == [[], [], [], []]


def test_the_same_fact_twice_is_two_pieces_of_news(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.BoxOffline(car=cast.car.id, rental=None))
    stage.happen(facts.BoxOffline(car=cast.car.id, rental=None))
    assert stage.told(cast.olga) == ["box_offline.owner"] * 2


def test_a_stolen_car_is_told_to_its_owner_unless_they_reported_it(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.CarStolen(car=cast.car.id, by=cast.olga.id))
    assert stage.told(cast.olga) == []
    stage.happen(facts.CarStolen(car=cast.car.id, by="op"))
    assert stage.told(cast.olga) == ["car_stolen.owner"]
    assert stage.told(cast.max) == []


def test_a_barred_car_is_told_to_its_owner(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.CarBarred(car=cast.car.id, by="op"))
    stage.happen(facts.CarUnbarred(car=cast.car.id, by="op"))
    assert stage.told(cast.olga) == ["car_barred.owner", "car_unbarred.owner"]
    assert stage.told(cast.max) == []


def test_low_charge_is_told_to_whoever_holds_the_car(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.ChargeLow(car=cast.car.id, rental=None, percent=18))
    stage.happen(facts.ChargeLow(car=cast.car.id, rental=cast.rental, percent=12))
    assert (stage.told(cast.olga), stage.told(cast.max)) == (["charge_low"], ["charge_low"])


def test_doors_that_open_after_they_were_given_up_are_told_as_opened_late(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.DoorUnknown(rental=cast.rental, what="unlock", **COMMAND))
    stage.happen(facts.RentalStarted(rental=cast.rental, at=START, **COMMAND))
    assert stage.told(cast.max) == ["unlock_unknown.driver", "opened_late.driver"]


def test_a_second_unlock_that_answers_in_time_is_not_told_as_late(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.DoorUnknown(rental=cast.rental, what="unlock", **COMMAND))
    stage.happen(facts.RentalStarted(rental=cast.rental, at=START, command="cmd_" + "1" * 32))
    assert stage.told(cast.max)[-1] == "rental_unlocked.driver"


@pytest.mark.parametrize(("evidence", "ending"), [("weak", "_weak.driver"), ("strong", ".driver")])
def test_who_leaves_a_car_that_does_not_show_its_lock_is_asked_to_try_the_handle(
    app: Flask, evidence: str, ending: str
) -> None:
    made = scene.make()
    effect = Answer(AnswerKind.CONFIRMED, Evidence(evidence), effect=True)
    outcome.apply(made.unlock().id, effect)
    asked = pause.pause(made.caller(), made.rental_id).id
    outcome.apply(asked, effect)
    paused = stage.happen(facts.RentalPaused(rental=made.rental_id, command=asked))
    outcome.apply(lock.lock(made.caller(), made.rental_id, keys_in_glove_box=True).id, effect)
    ended = stage.happen(facts.RentalEnded(made.rental_id, at=START, total=None, currency=None, by="driver"))
    assert stage.told(made.max, paused) == ["rental_paused" + ending]
    assert stage.told(made.max, ended) == ["rental_ended" + ending]


def test_nobody_after_the_late_driver_means_nobody_else_is_told(app: Flask) -> None:
    cast = stage.cast()
    seq = stage.happen(facts.RentalLate(rental=cast.following))
    assert stage.told(cast.max, seq) == []
    assert stage.told(cast.nina, seq) == ["rental_late.driver"]


@pytest.mark.parametrize(("hours", "told"), [(24, ["rental_late.next_driver"]), (25, [])])
def test_who_takes_the_car_a_day_later_has_time_to_hear_of_it(
    app: Flask, hours: int, told: list[str]
) -> None:
    cast = stage.cast()
    due, following = session.get_one(Rental, cast.rental).to_at, session.get_one(Rental, cast.following)
    following.from_at, following.to_at = due + timedelta(hours=hours), due + timedelta(hours=hours + 1)
    session.commit()
    seq = stage.happen(facts.RentalLate(rental=cast.rental))
    assert stage.told(cast.nina, seq) == told


def test_the_manager_who_approved_is_not_told_but_the_other_owners_are(app: Flask) -> None:
    olga, nina, driver = (factories.person(name) for name in ("Olga Owner", "Nina Next", "Max Member"))
    pool = factories.circle(olga, driver, kind="pool")
    invitation = invite.invite(olga.id, pool.id, {"email": nina.email, "role": "manager"})
    from app.communities import accept

    accept.accept(nina.id, invite.code_of(invitation.id))
    car = factories.car(olga, community=pool.id)
    rental = stage.rental(car, pool.id, driver, START)
    seq = stage.happen(facts.RentalBooked(rental=rental, approved_by=olga.id))
    assert (stage.told(olga, seq), stage.told(nina, seq)) == ([], ["rental_booked.owner"])


def test_an_invitation_is_told_to_its_address_with_or_without_an_account(app: Flask) -> None:
    cast = stage.cast()
    known = invite.invite(cast.olga.id, cast.community, {"email": cast.charlie.email})
    seq = stage.happen(facts.Invited(invitation=known.id, community=cast.community, by=cast.olga.id))
    assert stage.told(cast.charlie, seq) == ["invited"]
    unknown = invite.invite(cast.olga.id, cast.community, {"email": "new.face@example.org"})
    seq = stage.happen(facts.Invited(invitation=unknown.id, community=cast.community, by=cast.olga.id))
    people = session.scalars(select(Message.person_id).where(Message.fact_seq == seq)).all()
    assert people == [None]
    stage.forget_reactions(seq)
    kit_facts.react(seq)
    assert len(session.scalars(select(Message.id).where(Message.fact_seq == seq)).all()) == 1


def test_a_link_for_several_is_told_to_nobody(app: Flask) -> None:
    cast = stage.cast()
    link = invite.invite(cast.olga.id, cast.community, {"uses": 5})
    seq = stage.happen(facts.Invited(invitation=link.id, community=cast.community, by=cast.olga.id))
    assert session.scalars(select(Message.id).where(Message.fact_seq == seq)).all() == []


@pytest.mark.parametrize(
    ("fact", "kind"),
    [
        (facts.InvitationAccepted, "invitation_accepted"),
        (facts.InvitationDeclined, "invitation_declined"),
    ],
)
def test_who_invited_hears_the_answer(app: Flask, fact: type[Any], kind: str) -> None:
    cast = stage.cast()
    made = invite.invite(cast.olga.id, cast.community, {"email": cast.charlie.email})
    seq = stage.happen(fact(invitation=made.id, community=cast.community, person=cast.charlie.id))
    assert [stage.told(one, seq) for one in cast.everyone()] == [[kind], [], [], []]


def test_a_removed_member_is_told(app: Flask) -> None:
    cast = stage.cast()
    seq = stage.happen(facts.MemberRemoved(community=cast.community, person=cast.max.id, by=cast.olga.id))
    assert [stage.told(one, seq) for one in cast.everyone()] == [[], ["member_removed"], [], []]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda person: facts.RegisteredAgain(person=person), "account_exists_notice"),
        (lambda person: facts.LicenceRefused(person=person, by="op"), "licence_refused.driver"),
        (lambda person: facts.TaxDetailsMissing(person=person, year=2027), "tax_details_missing"),
        (
            lambda person: facts.LicenceCleared(person=person, community=None, by="op"),
            "licence_cleared.driver",
        ),
        (lambda person: facts.PersonSuspended(person=person, by="op", reason="r"), "person_suspended"),
        (lambda person: facts.PersonRestored(person=person, by="op", reason="r"), "person_restored"),
    ],
)
def test_news_of_the_account_reaches_its_holder(app: Flask, make: Any, kind: str) -> None:
    person = factories.person("Max Member")
    seq = stage.happen(make(person.id))
    assert stage.told(person, seq) == [kind]


def test_messages_keep_neither_names_nor_codes_nor_urls(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.RentalAsked(rental=cast.rental))
    made = invite.invite(cast.olga.id, cast.community, {"email": cast.charlie.email})
    stage.happen(facts.Invited(invitation=made.id, community=cast.community, by=cast.olga.id))
    kept = str([one.params for one in (*stage.messages(cast.olga), *stage.messages(cast.charlie))])
    for secret in ("Max", "Olga", "fortwo", invite.code_of(made.id), "http"):
        assert secret not in kept


def test_messages_say_the_span_as_it_was_when_it_happened(app: Flask) -> None:
    cast = stage.cast()
    stage.happen(facts.RentalExtended(rental=cast.rental, to=START + timedelta(hours=9)))
    [message] = stage.messages(cast.max)
    assert message.params["to"] == "2027-03-01T18:00:00.000Z"


def test_every_kind_of_the_catalogue_is_told_by_a_fact() -> None:
    assert {told.kind for rows in TABLE.values() for told in rows} == set(KINDS) | set(OWN)


def test_each_fact_of_the_table_has_one_reaction_with_a_name_of_its_own() -> None:
    names = [kit_facts.reaction_name(one) for row in REACTIONS.values() for one in row]
    assert len(names) == len(set(names)) == len(TABLE)
    assert "app.messages.tell.tell_rental_asked" in names
