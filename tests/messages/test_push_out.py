from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import facts
from app.communities import invite
from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.messages import push_out, words
from app.messages.models import Delivery, Message
from app.people import phones
from app.people.models import Person, Phone
from notifications.push import WITHIN_S, PhoneGone, PushCut, PushOverQuota, PushRefused, PushUnavailable
from tests.messages import stage
from tests.messages.stage import Cast, Pushes


def late(cast: Cast) -> None:
    """Something urgent for the driver."""
    stage.happen(facts.RentalLate(rental=cast.rental))


def waits_s(row: Delivery) -> float:
    assert row.try_at is not None
    return (row.try_at - real_now()).total_seconds()


@transactional
def later(person: Person, by: timedelta) -> None:
    """So much time has passed for what waits."""
    for row in stage.deliveries(person):
        if row.try_at is not None:
            row.try_at -= by


def test_what_waits_for_many_phones_goes_out_in_one_call(app: Flask, pushes: Pushes) -> None:
    casts = [stage.cast() for _ in range(3)]
    for cast in casts:
        stage.phone(cast.max)
        late(cast)
    push_out.push_out()
    assert pushes.calls == [3]
    assert [one.state for cast in casts for one in stage.deliveries(cast.max)] == ["sent"] * 3


def test_what_is_urgent_goes_before_what_other_phones_are_to_get(app: Flask, pushes: Pushes) -> None:
    casts = [stage.cast() for _ in range(3)]
    phones = [stage.phone(cast.olga) for cast in casts]
    for cast in casts:
        stage.happen(facts.BoxOffline(car=cast.car.id, rental=None))
    late(casts[2])
    push_out.push_out(batch=1)
    last = phones[2].push
    assert last is not None
    assert [one.address == last["address"] for one in pushes.sent] == [True, True, False, False]
    assert [one.urgent for one in pushes.to(phones[2])] == [False, True]


def test_no_more_than_a_batch_is_taken_at_once(app: Flask, pushes: Pushes) -> None:
    for _ in range(3):
        cast = stage.cast()
        stage.phone(cast.max)
        late(cast)
    push_out.push_out(batch=2)
    assert pushes.calls == [2, 1]


@pytest.mark.parametrize(
    ("refusals", "least", "most"),
    [
        ([PushUnavailable("down")], 1, 1.3),
        ([PushUnavailable("down")] * 4, 8, 9.7),
        ([PushUnavailable("down")] * 12, 300, 361),
        ([PushUnavailable("down", retry_after=40)], 40, 49),
        ([PushOverQuota("too many", retry_after=60)] * 2, 60, 73),
        ([PushUnavailable("down", retry_after=1e9)], 3600, 4321),
    ],
)
def test_what_failed_for_now_is_tried_again_in_its_own_time(
    app: Flask, pushes: Pushes, refusals: list[PushUnavailable], least: float, most: float
) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    late(cast)
    pushes.refusals += refusals
    for _ in refusals:
        later(cast.max, timedelta(hours=2))
        assert not push_out.push_out()
    assert push_out.push_out()
    [row] = stage.deliveries(cast.max)
    assert (row.state, row.reason, row.attempts) == ("waiting", type(refusals[0]).__name__, len(refusals))
    assert least - 1 < waits_s(row) < most
    later(cast.max, timedelta(hours=2))
    push_out.push_out()
    [row] = stage.deliveries(cast.max)
    assert (row.state, row.reason, row.try_at, len(pushes.sent)) == ("sent", None, None, 1)


def test_what_cannot_be_sent_any_more_is_given_up_at_the_end_of_its_time(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    late(cast)
    pushes.refusals.append(PushUnavailable("down"))
    push_out.push_out()
    age(cast.max, timedelta(hours=25))
    later(cast.max, timedelta(hours=2))
    push_out.push_out()
    [row] = stage.deliveries(cast.max)
    assert (row.state, row.reason, pushes.sent) == ("skipped", "too late", [])


@transactional
def age(person: Person, by: timedelta) -> None:
    for message in stage.messages(person):
        message.made_at -= by


def test_what_was_cut_off_goes_out_later_and_nothing_of_its_batch_twice(app: Flask, pushes: Pushes) -> None:
    casts = [stage.cast() for _ in range(3)]
    for cast in casts:
        stage.phone(cast.max)
        late(cast)
    pushes.refusals += [PushCut("no time"), PushCut("no time")]
    assert push_out.push_out()
    assert len(pushes.sent) == 1
    for cast in casts:
        later(cast.max, timedelta(minutes=1))
    push_out.push_out()
    assert [one.state for cast in casts for one in stage.deliveries(cast.max)] == ["sent"] * 3
    assert len({one.address for one in pushes.sent}) == len(pushes.sent) == 3


def test_a_push_is_in_hand_for_longer_than_its_batch_takes() -> None:
    assert push_out.IN_HAND.total_seconds() > 2 * WITHIN_S + 5


def test_a_worker_killed_with_a_push_in_hand_leaves_it_to_the_next(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    late(cast)
    taken = push_out._take(10)
    assert taken is not None
    push_out._send(taken)  # and here it dies
    push_out.push_out()
    assert len(pushes.sent) == 1
    later(cast.max, push_out.IN_HAND)
    push_out.push_out()
    push_out.push_out()
    [message] = stage.messages(cast.max)
    assert [one.data["message"] for one in pushes.sent] == [message.id, message.id]
    [row] = stage.deliveries(cast.max)
    assert (row.state, row.attempts) == ("sent", 2)


def test_a_worker_that_comes_back_too_late_changes_nothing(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    stage.phone(cast.max)
    late(cast)
    slow = push_out._take(10)
    assert slow is not None
    later(cast.max, push_out.IN_HAND)
    push_out.push_out()
    push_out._settle(slow, [PushRefused("payload")])
    assert [one.state for one in stage.deliveries(cast.max)] == ["sent"]


def test_pushes_to_one_phone_go_in_order_and_do_not_overtake(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max)
    late(cast)
    stage.happen(facts.ExtensionDeclined(rental=cast.rental))
    pushes.refusals.append(PushUnavailable("down"))
    push_out.push_out()
    push_out.push_out()
    assert pushes.sent == []
    later(cast.max, timedelta(minutes=1))
    push_out.push_out()
    kinds = [one.data["kind"] for one in pushes.to(phone)]
    assert kinds == ["rental_late.driver", "extension_declined.driver"]


def test_a_phone_in_trouble_holds_up_no_other(app: Flask, pushes: Pushes) -> None:
    cast, other = stage.cast(), stage.cast()
    stage.phone(cast.max)
    phone = stage.phone(other.max)
    late(cast)
    late(other)
    pushes.refusals.append(PushOverQuota("too many", retry_after=60))
    assert push_out.push_out()
    assert len(pushes.to(phone)) == 1


def test_a_push_quotes_nobody(app: Flask) -> None:
    params = {
        "owner": "per_" + "0" * 32,
        "car": "car_" + "0" * 32,
        "amount": {"amount": 900, "currency": "EUR"},
        "answer_by": "2027-03-01T09:00:00.000Z",
        "zone": "Europe/Paris",
        "reason": f"chr_{'0' * 32}:damage:False",
    }
    quoted = words.of("charge_requested.driver", params, "en")
    pushed = words.of("charge_requested.driver", params, "en", quoting=False)
    assert "“Nothing was said about it.”" in quoted.body
    assert "“…”" in pushed.body
    assert "somebody" in pushed.title


@pytest.mark.parametrize("reminded", [False, True])
def test_a_push_says_no_invitation_code(app: Flask, pushes: Pushes, *, reminded: bool) -> None:
    cast = stage.cast()
    stage.phone(cast.charlie)
    made = invite.invite(cast.olga.id, cast.community, {"email": cast.charlie.email})
    kind = facts.InvitationReminded if reminded else facts.Invited
    stage.happen(kind(invitation=made.id, community=cast.community, by=cast.olga.id))
    push_out.push_out()
    [sent] = pushes.sent
    assert invite.code_of(made.id) not in repr((sent.title, sent.body, dict(sent.data)))
    assert sent.body.endswith("in the app")
    [message] = stage.messages(cast.charlie)
    assert invite.url_of(made.id) in words.of(message.kind, message.params, "en").body


def test_a_browser_is_written_to_with_its_keys(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max)
    address = "https://fcm.googleapis.com/fcm/send/1"
    _subscribe(phone.id, {"kind": "webpush", "address": address, "keys": {"p256dh": "p", "auth": "a"}})
    late(cast)
    push_out.push_out()
    [sent] = pushes.sent
    assert (sent.kind, sent.address, sent.keys) == ("webpush", address, {"p256dh": "p", "auth": "a"})


@transactional
def _subscribe(phone: str, push: dict[str, Any]) -> None:
    session.get_one(Phone, phone).push = push


def test_an_address_registered_again_since_the_send_began_is_kept(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.max)
    late(cast)
    pushes.refusals.append(PhoneGone("unregistered"))
    pushes.meanwhile = lambda: phones.change(cast.max.id, phone.id, {"push": phone.push})
    push_out.push_out()
    assert session.get_one(Phone, phone.id, populate_existing=True).push == phone.push
    assert [one.state for one in stage.deliveries(cast.max)] == ["sent"]


def test_a_push_that_cannot_be_put_into_words_keeps_no_other_from_going(app: Flask, pushes: Pushes) -> None:
    cast, other = stage.cast(), stage.cast()
    stage.phone(cast.olga)
    stage.phone(other.olga)
    stage.happen(facts.RentalWithdrawn(rental=cast.rental))
    stage.happen(facts.RentalWithdrawn(rental=other.rental))
    _spoil(cast.olga)
    push_out.push_out()
    assert [one.state for one in stage.deliveries(cast.olga)] == ["failed"]
    assert [one.state for one in stage.deliveries(other.olga)] == ["sent"]


@transactional
def _spoil(person: Person) -> None:
    for message in stage.messages(person):
        session.get_one(Message, message.id).params = {}
