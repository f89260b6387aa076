import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select, text

from app import facts
from app.communities import invite
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.deadlines import Deadline
from app.messages import deliver, digest, gather, preferences
from app.messages.kinds import ALWAYS, KINDS, TOPICS, topic_of
from app.messages.models import Delivery, Message, Preferences
from app.messages.outcome import hash_of
from app.messages.push_out import push_out
from app.messages.schemas import Topics
from app.people import password, phones, register, sign_in
from app.people.models import EmailCode, Person, Phone
from notifications.mail import AddressRefused, MailUnavailable
from notifications.push import PhoneGone, PushRefused
from tests import factories
from tests.messages import stage
from tests.messages.stage import START, Letters, Pushes


@transactional
def wish(person: Person, **values: Any) -> None:
    usual = {"quiet_from": None, "quiet_to": None, "channels": ["push", "mail"], "digest": "off"}
    session.merge(Preferences(person_id=person.id, **{**usual, **values}))


def noon() -> None:
    """Business time is the next noon: no clocks are changed in the hours after it."""
    now = clock.now()
    at = now.replace(hour=12, minute=0, second=0, microsecond=0)
    clock.forward(at + timedelta(days=at <= now) - now)


def quiet_now(person: Person) -> None:
    """Quiet hours of the person that began an hour ago and end in two."""
    local = clock.now().astimezone(ZoneInfo(person.time_zone)).replace(tzinfo=None)
    wish(
        person,
        quiet_from=(local - timedelta(hours=1)).time(),
        quiet_to=(local + timedelta(hours=2)).time(),
    )


@transactional
def age(person: Person, by: timedelta) -> None:
    for message in session.scalars(select(Message).where(Message.person_id == person.id)):
        message.made_at -= by


def test_a_push_names_its_message_and_collapses_on_its_rental(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.olga)
    stage.happen(facts.RentalAsked(rental=cast.rental))
    stage.work()
    [sent] = pushes.to(phone)
    [message] = stage.messages(cast.olga)
    assert sent.data == {"message": message.id, "rental": cast.rental, "kind": "rental_asked.owner"}
    assert (sent.collapse_key, sent.urgent) == (f"rental-{cast.rental}", True)
    assert (sent.title, sent.body) == (
        "Max asks for smart EQ fortwo",
        "From Mon 1 Mar, 10:00 to Mon 1 Mar, 13:00. Is that all right with you?",
    )
    assert [one.state for one in stage.deliveries(cast.olga)] == ["sent"]


def test_a_delivery_that_runs_twice_sends_once(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max)
    stage.happen(facts.RentalWithdrawn(rental=cast.rental))
    stage.happen(facts.RentalLapsed(rental=cast.rental))
    stage.work()
    for one in stage.deliveries(cast.max):
        deliver.due(one.id)
    push_out()
    assert len(pushes.to(phone)) == 1


def test_every_phone_gets_its_own_language(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    spoken = {language: stage.phone(cast.max, language) for language in ("en", "fr", "de-AT")}
    stage.happen(facts.RentalStarted(rental=cast.rental, command=None, at=START))
    stage.work()
    titles = {language: pushes.to(phone)[0].title for language, phone in spoken.items()}
    assert titles["en"] == "smart EQ fortwo is open"
    assert titles["fr"] == "smart EQ fortwo\u00a0: c\u2019est ouvert"
    assert titles["de-AT"] == "smart EQ fortwo ist offen"


def test_an_unconfirmed_phone_gets_nothing(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max)
    _unconfirm(phone.id)
    stage.happen(facts.RentalLate(rental=cast.rental))
    stage.work()
    assert pushes.sent == []


@transactional
def _unconfirm(phone: str) -> None:
    session.get_one(Phone, phone).confirmed_at = None


def test_what_can_wait_waits_for_the_end_of_the_quiet_hours(app: Flask, pushes: Pushes) -> None:
    noon()
    cast = stage.cast()
    phone = stage.phone(cast.max)
    quiet_now(cast.max)
    stage.happen(facts.RentalLapsed(rental=cast.rental))
    stage.work()
    [row] = stage.deliveries(cast.max)
    assert (pushes.to(phone), row.state) == ([], "waiting")
    waits = session.get_one(Deadline, ("gather", phone.id)).due_at - clock.now()
    assert timedelta(hours=1, minutes=58) < waits <= timedelta(hours=2)
    wish(cast.max)
    gather.due(phone.id)
    stage.work()
    [sent] = pushes.to(phone)
    assert sent.data["kind"] == "rental_lapsed.driver"


def test_what_is_urgent_does_not_wait(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max)
    quiet_now(cast.max)
    stage.happen(facts.RentalLate(rental=cast.rental))
    stage.work()
    assert len(pushes.to(phone)) == 1


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2027-03-01T21:59", None),
        ("2027-03-01T22:00", "2027-03-02T07:00"),
        ("2027-03-02T06:59", "2027-03-02T07:00"),
        ("2027-03-02T07:00", None),
        ("2027-03-27T23:30", "2027-03-28T07:00"),
        ("2027-10-30T23:30", "2027-10-31T07:00"),
    ],
)
def test_quiet_hours_are_wall_time_over_midnight_and_both_switch_days(at: str, until: str | None) -> None:
    zone = ZoneInfo("Europe/Paris")
    wishes = preferences.Wishes((time(22), time(7)), ("push",), digest=False, zone=zone)

    def there(wall: str) -> Any:
        from datetime import datetime

        return datetime.fromisoformat(wall).replace(tzinfo=zone)

    assert wishes.quiet_until(there(at)) == (there(until) if until else None)


def test_quiet_hours_end_in_the_hour_that_clocks_show_twice() -> None:
    zone = ZoneInfo("Europe/Berlin")
    wishes = preferences.Wishes((time(22), time(2, 30)), ("push",), digest=False, zone=zone)
    second = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert second.astimezone(zone).time() == time(2, 15)
    assert wishes.quiet_until(second) == second + timedelta(minutes=15)


def test_a_phone_that_is_gone_loses_its_address(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max)
    stage.happen(facts.RentalLapsed(rental=cast.rental))
    pushes.refusals.append(PhoneGone("unregistered"))
    stage.work()
    assert [one.state for one in stage.deliveries(cast.max)] == ["gone"]
    assert session.get_one(Phone, phone.id, populate_existing=True).push is None


def test_an_address_that_changed_while_it_was_refused_is_kept_and_tried(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max)
    stage.happen(facts.RentalLate(rental=cast.rental))
    renewed = {"kind": "fcm_token", "address": f"token-{uuid.uuid4().hex}"}

    pushes.refusals.append(PhoneGone("unregistered"))
    pushes.meanwhile = lambda: phones.change(cast.max.id, phone.id, {"push": renewed})
    stage.work()
    stage.work()
    assert [one.address for one in pushes.sent] == [renewed["address"]]
    assert [one.state for one in stage.deliveries(cast.max)] == ["sent"]


def test_a_removed_phone_is_not_written_to(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max)
    stage.happen(facts.RentalLapsed(rental=cast.rental))
    phones.remove(cast.max.id, phone.id)
    stage.work()
    assert pushes.sent == []
    assert [one.state for one in stage.deliveries(cast.max)] == ["gone"]


def test_a_refusal_for_good_fails_without_naming_the_address(
    app: Flask, pushes: Pushes, letters: Letters
) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    stage.happen(facts.LicenceRefused(person=cast.max.id, by="op"))
    pushes.refusals.append(PushRefused("payload"))
    letters.refusals.append(AddressRefused(f"no such user: {cast.max.email}"))
    stage.work()
    found = {one.channel: (one.state, one.reason) for one in stage.deliveries(cast.max)}
    assert found == {"push": ("failed", "PushRefused"), "mail": ("failed", "AddressRefused")}


def test_a_mail_server_that_is_away_is_asked_again(app: Flask, letters: Letters) -> None:
    person = factories.person("Max Member")
    stage.happen(facts.RegisteredAgain(person=person.id))
    [row] = stage.deliveries(person)
    letters.refusals.append(MailUnavailable("greylisted"))
    with pytest.raises(MailUnavailable):
        deliver.deliver(row.id)
    stage.work()
    assert len(letters.to(person.email)) == 1


def test_a_process_without_doors_skips(app: Flask) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    stage.happen(facts.LicenceRefused(person=cast.max.id, by="op"))
    house = app.extensions["glovebox"]
    before, house.doors = house.doors, replace(house.doors, push=None, mail=None)
    stage.work()
    house.doors = before
    assert [one.state for one in stage.deliveries(cast.max)] == ["skipped", "skipped"]


def test_news_that_came_too_late_is_not_pushed_any_more(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    stage.happen(facts.RentalPaused(rental=cast.rental, command="cmd_" + "0" * 32))
    age(cast.max, timedelta(minutes=11))
    stage.work()
    assert pushes.sent == []
    assert [one.state for one in stage.deliveries(cast.max)] == ["skipped"]


def test_codes_for_the_address_and_the_password_are_mailed_and_right(app: Flask, letters: Letters) -> None:
    email = f"max.{uuid.uuid4().hex}@example.org"
    register.register(
        {
            "name": "Max Member",
            "email": email,
            "password": "correct horse battery",
            "language": "fr",
            "country": "FR",
        }
    )
    person = register.find_by_email(email)
    assert person is not None
    stage.react_to_waiting("EmailCodeIssued", person.id)
    stage.work()
    register.confirm(email, code_in(letters.to(email)[0]))
    register.send_code(email, "reset")
    stage.react_to_waiting("EmailCodeIssued", person.id)
    stage.work()
    assert "mot de passe" in letters.to(email)[1]["text"]
    password.reset(email, code_in(letters.to(email)[1]), "another horse battery")


def code_in(letter: dict[str, str]) -> str:
    found = re.search(r"\b\d{6}\b", letter["text"])
    assert found is not None
    return found[0]


def test_a_new_address_gets_the_code_and_the_old_one_the_notice(app: Flask, letters: Letters) -> None:
    person = factories.person("Max Member")
    old, new = person.email, f"new.{uuid.uuid4().hex}@example.org"
    password.send_change_code(person.id, new)
    stage.react_to_waiting("EmailCodeIssued", person.id)
    stage.react_to_waiting("EmailChangeAsked", person.id)
    stage.work()
    [to_new] = letters.to(new)
    assert new in letters.to(old)[-1]["text"]
    password.confirm_email_change(person.id, code_in(to_new))


def test_the_old_address_hears_of_the_change_even_after_it(app: Flask, letters: Letters) -> None:
    person = factories.person("Max Member")
    old, new = person.email, f"new.{uuid.uuid4().hex}@example.org"
    password.send_change_code(person.id, new)
    stage.react_to_waiting("EmailChangeAsked", person.id)
    _move(person.id, new)
    stage.work()
    assert (len(letters.to(old)), letters.to(new)) == (1, [])


@transactional
def _move(person: str, email: str) -> None:
    found = session.get_one(Person, person)
    found.email, found.email_key = email, register.email_key(email)


def test_a_second_phone_is_confirmed_by_the_mailed_code(app: Flask, letters: Letters) -> None:
    person = factories.person("Max Member")
    stage.phone(person)
    second = phones.add(person.id, {"installation": str(uuid.uuid4()), "platform": "ios"})
    stage.react_to_waiting("PhoneAdded", person.id)
    stage.work()
    phones.confirm(person.id, second.id, code_in(letters.to(person.email)[-1]))


def test_a_code_that_is_used_or_old_is_not_mailed(app: Flask, letters: Letters) -> None:
    person = factories.person("Max Member")
    register.send_code(person.email, "reset")
    stage.react_to_waiting("EmailCodeIssued", person.id)
    _outdate(person.id)
    stage.work()
    assert letters.to(person.email) == []
    assert [one.state for one in stage.deliveries(person)] == ["skipped"]


@transactional
def _outdate(person: str) -> None:
    for code in session.scalars(select(EmailCode).where(EmailCode.person_id == person)):
        code.made_at -= timedelta(minutes=16)


def test_an_address_without_account_is_mailed_its_invitation(app: Flask, letters: Letters) -> None:
    olga = factories.person("Olga Owner", language="de")
    circle = factories.circle(olga)
    email = f"new.{uuid.uuid4().hex}@example.org"
    made = invite.invite(olga.id, circle.id, {"email": email})
    stage.happen(facts.Invited(invitation=made.id, community=circle.id, by=olga.id))
    stage.work()
    [letter] = letters.to(email)
    assert letter["subject"] == "Olga lädt dich ein"
    assert invite.url_of(made.id) in letter["text"]


def test_the_first_sign_in_is_no_news_and_the_next_installation_is(app: Flask, letters: Letters) -> None:
    person = factories.person("Max Member")
    for _ in range(2):
        sign_in.sign_in(person.email, "correct horse battery", str(uuid.uuid4()), None)
    rows = session.execute(
        text("select data from facts where kind = 'SignedIn' and data->>'person' = :person order by seq"),
        {"person": person.id},
    ).scalars()
    first, second = rows.all()
    session.rollback()
    _forget_session(second["session"])
    stage.happen(facts.SignedIn(**first))
    assert stage.told(person) == []
    sign_in.sign_in(person.email, "correct horse battery", str(uuid.uuid4()), None)
    stage.happen(facts.SignedIn(**first))
    assert stage.told(person) == ["new_sign_in"]
    stage.work()
    assert "with a new device" in letters.to(person.email)[0]["text"]


@transactional
def _forget_session(sign_in_id: str) -> None:
    session.execute(
        text("delete from refresh_tokens where session_id = cast(:id as uuid)"), {"id": sign_in_id[4:]}
    )
    session.execute(text("delete from sessions where id = cast(:id as uuid)"), {"id": sign_in_id[4:]})


def test_a_refused_lock_says_what_to_do_in_the_readers_words(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max, "de")
    stage.happen(facts.LockRefused(rental=cast.rental, command=None, reasons="doors,keys"))
    stage.happen(facts.LockRefused(rental=cast.rental, command=None, reasons="not_done"))
    stage.work()
    first, second = pushes.to(phone)
    assert first.body.endswith(
        "Schließe alle Türen und den Kofferraum. Lege die Schlüssel ins Handschuhfach."
    )
    assert second.body.endswith("Das Auto ließ sich nicht verriegeln.")


def test_who_wants_only_mail_gets_mail(app: Flask, pushes: Pushes, letters: Letters) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    wish(cast.max, channels=["mail"])
    stage.happen(facts.RentalLate(rental=cast.rental))
    stage.work()
    assert (pushes.sent, len(letters.to(cast.max.email))) == ([], 1)


def test_each_topic_may_have_its_own_channels(app: Flask, pushes: Pushes, letters: Letters) -> None:
    cast = stage.cast()
    stage.phone(cast.olga)
    wish(cast.olga, topics={"car": ["mail"], "requests": []})
    stage.happen(facts.BoxOffline(car=cast.car.id, rental=None))
    stage.happen(facts.RentalAsked(rental=cast.rental))
    stage.happen(facts.RentalNoShow(rental=cast.rental, owed=0))
    stage.work()
    assert [one.data["kind"] for one in pushes.sent] == ["rental_no_show.owner"]
    assert len(letters.to(cast.olga.email)) == 1
    assert "rental_asked.owner" in stage.told(cast.olga)


def test_the_daily_mail_leaves_out_what_is_not_to_be_mailed(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    wish(cast.max, digest="daily", topics={"requests": ["push"]})
    stage.happen(facts.RentalLapsed(rental=cast.rental))
    stage.work()
    assert [one.data["kind"] for one in pushes.sent] == ["rental_lapsed.driver"]


def test_every_kind_has_a_topic_of_the_contract_or_is_always_told() -> None:
    assert {topic_of(kind) for kind in KINDS} == {None, *TOPICS}
    assert {kind for kind in KINDS if topic_of(kind) is None} == set(ALWAYS)
    assert set(Topics().fields) == set(TOPICS)


def test_codes_come_whatever_one_prefers(app: Flask, letters: Letters) -> None:
    person = factories.person("Max Member")
    wish(person, channels=[], digest="daily")
    register.send_code(person.email, "reset")
    stage.react_to_waiting("EmailCodeIssued", person.id)
    stage.work()
    assert letters.to(person.email)[-1]["subject"] == "Your code for a new password"


def test_the_daily_mail_gathers_what_can_wait(app: Flask, pushes: Pushes, letters: Letters) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    wish(cast.max, digest="daily")
    stage.happen(facts.RentalLapsed(rental=cast.rental))
    stage.happen(facts.LicenceCleared(person=cast.max.id, community=None, by="op"))
    stage.happen(facts.RentalLate(rental=cast.rental))
    stage.work()
    assert [one.title for one in pushes.sent] == ["You are late"]
    due_at = session.get_one(Deadline, ("digest", cast.max.id)).due_at
    assert due_at.astimezone(ZoneInfo("Europe/Paris")).hour == 18
    assert letters.to(cast.max.email) == []
    digest.due(cast.max.id)
    stage.work()
    digest.due(cast.max.id)
    stage.work()
    [letter] = letters.to(cast.max.email)
    assert "No answer: " in letter["text"]
    assert "You are cleared to drive: " in letter["text"]
    assert {one.state for one in stage.deliveries(cast.max)} == {"sent"}


def test_what_is_kept_of_an_address_is_a_hash(app: Flask, letters: Letters) -> None:
    person = factories.person("Max Member")
    stage.happen(facts.RegisteredAgain(person=person.id))
    stage.work()
    row = session.execute(
        select(Delivery.address_hash, Delivery.address_sealed).where(Delivery.person_id == person.id)
    ).one()
    assert (row.address_hash, row.address_sealed) == (hash_of(person.email), None)
