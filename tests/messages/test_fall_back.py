import uuid
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import facts
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.kit.deadlines import Deadline
from app.messages import digest, fall_back, push_out, words
from app.messages.kinds import ALWAYS, KINDS
from app.messages.models import Preferences
from app.people import phones, sign_in
from app.people.models import Person, Phone
from notifications.push import PhoneGone, PushRefused, PushUnavailable
from tests.messages import stage
from tests.messages.stage import Cast, Letters, Pushes


def asked(cast: Cast) -> str:
    """Max asks; the message to Olga."""
    stage.happen(facts.RentalAsked(rental=cast.rental))
    [message] = stage.messages(cast.olga)
    return message.id


def due_at(message: str) -> datetime | None:
    found = session.get(Deadline, ("mail_after", message), populate_existing=True)
    return found.due_at if found else None


def signed(person: Person) -> dict[str, str]:
    tokens = sign_in.sign_in(person.email, "correct horse battery", str(uuid.uuid4()), None)
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@transactional
def only(person: Person, *ways: str) -> None:
    session.merge(Preferences(person_id=person.id, channels=list(ways), digest="off"))


def test_an_urgent_push_without_a_receipt_is_mailed_once(
    app: Flask, pushes: Pushes, letters: Letters
) -> None:
    cast = stage.cast()
    stage.phone(cast.olga)
    message = asked(cast)
    stage.work()
    [told] = stage.messages(cast.olga)
    assert due_at(message) == told.made_at + timedelta(minutes=15)
    assert letters.to(cast.olga.email) == []
    for _ in range(2):
        fall_back.due(message)
        stage.work()
    [letter] = letters.to(cast.olga.email)
    assert letter["subject"] == "Max asks for smart EQ fortwo"
    ways = {one.channel: one.state for one in stage.deliveries(cast.olga)}
    assert ways == {"push": "sent", "mail": "sent"}


@pytest.mark.parametrize("receipt", ["received", "read", "listed"])
def test_a_receipt_in_time_saves_the_mail(app: Flask, pushes: Pushes, letters: Letters, receipt: str) -> None:
    cast = stage.cast()
    stage.phone(cast.olga)
    message = asked(cast)
    client, headers = app.test_client(), signed(cast.olga)
    if receipt == "listed":
        [one] = client.get("/v1/me/messages", headers=headers).json["items"]  # type: ignore[index]
        assert one["received_at"] is not None
    else:
        answer = client.post(f"/v1/me/messages/{message}/{receipt}", headers=headers)
        assert answer.status_code == 204
    assert due_at(message) is None
    fall_back.due(message)
    stage.work()
    assert letters.to(cast.olga.email) == []


def test_a_receipt_is_the_readers_own_and_the_first_counts(app: Flask) -> None:
    cast = stage.cast()
    message = asked(cast)
    client: FlaskClient = app.test_client()
    path = f"/v1/me/messages/{message}/received"
    assert client.post(path, headers=signed(cast.charlie)).status_code == 404
    for _ in range(2):
        assert client.post(path, headers=signed(cast.olga)).status_code == 204
    [one] = client.get("/v1/me/messages", headers=signed(cast.olga)).json["items"]  # type: ignore[index]
    assert one["received_at"] is not None
    assert one["read_at"] is None


def test_without_a_phone_that_works_the_mail_goes_at_once(app: Flask, letters: Letters) -> None:
    cast = stage.cast()
    message = asked(cast)
    stage.work()
    assert len(letters.to(cast.olga.email)) == 1
    assert due_at(message) is None


@pytest.mark.parametrize("error", [PhoneGone("unregistered"), PushRefused("payload")])
def test_when_the_last_phone_turns_out_dead_the_mail_goes_at_once(
    app: Flask, pushes: Pushes, letters: Letters, error: PhoneGone | PushRefused
) -> None:
    cast = stage.cast()
    stage.phone(cast.olga)
    stage.phone(cast.olga)
    message = asked(cast)
    pushes.refusals += [error, PushUnavailable("down")]
    stage.work()
    assert letters.to(cast.olga.email) == []
    pushes.refusals.append(error)
    stage.hurry_pushes()
    stage.work()
    fall_back.due(message)
    stage.work()
    assert len(letters.to(cast.olga.email)) == 1


def test_a_phone_removed_before_its_push_went_out_counts_as_none(
    app: Flask, pushes: Pushes, letters: Letters
) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.olga)
    asked(cast)
    phones.remove(cast.olga.id, phone.id)
    push_out.push_out()
    stage.work()
    assert len(letters.to(cast.olga.email)) == 1


def test_a_phone_in_doubt_gets_nothing_that_waited_and_the_mail_goes_at_once(
    app: Flask, pushes: Pushes, letters: Letters
) -> None:
    cast = stage.cast()
    stage.phone(cast.olga)
    asked(cast)
    phones.doubt(cast.olga.id)
    push_out.push_out()
    stage.work()
    assert pushes.sent == []
    ways = {one.channel: (one.state, one.reason) for one in stage.deliveries(cast.olga)}
    assert ways == {"push": ("skipped", "phone in doubt"), "mail": ("sent", None)}
    assert len(letters.to(cast.olga.email)) == 1


@pytest.mark.parametrize("waited", [True, False])
def test_a_phone_that_was_signed_out_of_is_pushed_to_no_more_until_somebody_signs_in(
    app: Flask, pushes: Pushes, letters: Letters, *, waited: bool
) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.olga)
    session_id = sign_in.sign_in(cast.olga.email, "correct horse battery", phone.installation)["session"]
    if waited:
        asked(cast)
    sign_in.sign_out(cast.olga.id, session_id)
    if not waited:
        asked(cast)
    push_out.push_out()
    stage.work()
    assert pushes.sent == []
    assert len(letters.to(cast.olga.email)) == 1
    sign_in.sign_in(cast.olga.email, "correct horse battery", phone.installation)
    stage.happen(facts.RentalWithdrawn(rental=cast.rental))
    push_out.push_out()
    assert len(pushes.sent) == 1


def test_a_session_that_ended_otherwise_is_no_signing_out(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.olga)
    sign_in.sign_in(cast.olga.email, "correct horse battery", phone.installation)
    sign_in.end_all(cast.olga.id, but=None, reason="password changed")
    asked(cast)
    push_out.push_out()
    assert len(pushes.sent) == 1


@pytest.mark.parametrize(("days", "at_once"), [(13, False), (15, True)])
def test_for_a_phone_not_heard_of_for_two_weeks_no_mail_waits(
    app: Flask, pushes: Pushes, letters: Letters, days: int, *, at_once: bool
) -> None:
    cast = stage.cast()
    silent(stage.phone(cast.olga).id, timedelta(days=days))
    message = asked(cast)
    stage.work()
    assert len(pushes.sent) == 1, "it may be there all the same"
    assert len(letters.to(cast.olga.email)) == at_once
    assert (due_at(message) is None) is at_once


def test_a_phone_heard_of_lately_is_waited_for_though_another_is_silent(
    app: Flask, pushes: Pushes, letters: Letters
) -> None:
    cast = stage.cast()
    silent(stage.phone(cast.olga).id, timedelta(days=30))
    stage.phone(cast.olga)
    message = asked(cast)
    stage.work()
    assert letters.to(cast.olga.email) == []
    assert due_at(message) is not None


@transactional
def silent(phone: str, since: timedelta) -> None:
    session.get_one(Phone, phone).seen_at = real_now() - since


def test_who_wants_no_mail_gets_none(app: Flask, pushes: Pushes, letters: Letters) -> None:
    cast = stage.cast()
    only(cast.olga, "push")
    message = asked(cast)
    fall_back.due(message)
    stage.work()
    assert (letters.to(cast.olga.email), due_at(message)) == ([], None)


def test_what_can_wait_needs_no_receipt(app: Flask, pushes: Pushes, letters: Letters) -> None:
    cast = stage.cast()
    stage.phone(cast.olga)
    stage.happen(facts.RentalWithdrawn(rental=cast.rental))
    stage.work()
    [told] = stage.messages(cast.olga)
    assert (due_at(told.id), letters.to(cast.olga.email)) == (None, [])


def test_what_falls_back_is_urgent_told_by_push_alone_and_outlives_the_wait() -> None:
    falling = {name: kind for name, kind in KINDS.items() if kind.mail_after is not None}
    assert len(falling) > 20
    for name, kind in falling.items():
        assert kind.urgent, name
        assert "mail" not in kind.channels, name
        assert kind.mail_after is not None
        assert kind.mail_after < kind.ttl, name
    assert not falling.keys() & ALWAYS


def test_who_has_no_phone_reads_what_can_wait_in_the_daily_mail(app: Flask, letters: Letters) -> None:
    cast = stage.cast()
    stage.happen(facts.RentalNoShow(rental=cast.rental, owed=1250))
    digest.due(cast.max.id)
    stage.work()
    [letter] = letters.to(cast.max.email)
    [message] = stage.messages(cast.max)
    assert message.kind == "rental_no_show.driver"
    assert words.of(message.kind, message.params, "en").title in letter["text"]


def test_nor_is_it_mailed_what_is_over_in_minutes(app: Flask, letters: Letters) -> None:
    cast = stage.cast()
    stage.happen(facts.RentalPaused(rental=cast.rental, command="cmd_" + "0" * 32))
    assert stage.deliveries(cast.olga) == []


def test_a_phone_is_told_alone(app: Flask) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    stage.happen(facts.RentalNoShow(rental=cast.rental, owed=1250))
    assert [one.channel for one in stage.deliveries(cast.max)] == ["push"]
