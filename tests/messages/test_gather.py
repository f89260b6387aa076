from datetime import timedelta
from zoneinfo import ZoneInfo

from flask import Flask

from app import facts
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.deadlines import Deadline
from app.kit.facts import Fact
from app.messages import gather, push_out
from app.messages.models import Delivery, Message, Preferences
from app.people.models import Person, Phone
from notifications.push import PushRefused, PushUnavailable
from tests.messages import stage
from tests.messages.stage import Cast, Pushes


def news(cast: Cast, count: int) -> None:
    """So many messages to Olga that can wait, one after the other."""
    for _ in range(count):
        stage.happen(facts.BoxOffline(car=cast.car.id, rental=None))
        push_out.push_out()


def held(person: Person) -> list[Delivery]:
    return [one for one in stage.deliveries(person) if one.state == "waiting"]


def flooded(cast: Cast) -> Phone:
    """Olga's phone, which has had enough, and three more that wait."""
    phone = stage.phone(cast.olga)
    news(cast, gather.AT_MOST + 3)
    return phone


@transactional
def quiet(person: Person, *, on: bool) -> None:
    local = clock.now().astimezone(ZoneInfo(person.time_zone)).replace(tzinfo=None)
    begins, ends = (local - timedelta(hours=1), local + timedelta(hours=2)) if on else (None, None)
    row = Preferences(
        person_id=person.id,
        quiet_from=begins.time() if begins else None,
        quiet_to=ends.time() if ends else None,
        channels=["push", "mail"],
        digest="off",
    )
    session.merge(row)


def test_a_flood_becomes_one_push_for_all_that_came_after_a_few(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = flooded(cast)
    assert (len(pushes.to(phone)), len(held(cast.olga))) == (gather.AT_MOST, 3)
    due_at = session.get_one(Deadline, ("gather", phone.id)).due_at
    first = min(one.at for one in stage.deliveries(cast.olga) if one.state == "sent")
    assert due_at == first + gather.WITHIN
    gather.due(phone.id)
    push_out.push_out()
    [*_, last] = pushes.to(phone)
    newest = stage.messages(cast.olga)[-1]
    assert last.data == {"message": newest.id, "kind": "gathered", "count": "3"}
    assert (last.title, last.body) == ("3 new messages", "The latest: smart EQ fortwo is silent")
    assert (last.collapse_key, len(pushes.to(phone))) == ("gathered", gather.AT_MOST + 1)
    assert {one.state for one in stage.deliveries(cast.olga)} == {"sent"}


def test_what_is_urgent_neither_waits_for_a_flood_nor_makes_one(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = flooded(cast)
    for _ in range(gather.AT_MOST + 1):
        stage.happen(facts.RentalAsked(rental=cast.rental))
        push_out.push_out()
    urgent = [one for one in pushes.to(phone) if one.urgent]
    assert len(urgent) == gather.AT_MOST + 1
    other = stage.phone(cast.max)
    for _ in range(gather.AT_MOST + 1):
        stage.happen(facts.RentalLate(rental=cast.rental))
        push_out.push_out()
    stage.happen(facts.RentalLapsed(rental=cast.rental))
    push_out.push_out()
    assert len(pushes.to(other)) == gather.AT_MOST + 2


def test_what_was_held_back_goes_ahead_where_something_urgent_waits_behind_it(
    app: Flask, pushes: Pushes
) -> None:
    cast, other = stage.cast(), stage.cast()
    phone, others = stage.phone(cast.olga), stage.phone(other.olga)
    news(cast, gather.AT_MOST + 1)
    stage.happen(facts.BoxOffline(car=other.car.id, rental=None))
    pushes.refusals.append(PushUnavailable("down"))
    stage.happen(facts.RentalLate(rental=cast.rental))
    push_out.push_out(batch=1)
    _age(cast.olga, gather.WITHIN)
    gather.due(phone.id)
    stage.hurry_pushes()
    push_out.push_out(batch=1)
    assert [one.address for one in pushes.sent[-3:]] == [*_twice(phone), *_address(others)]


def _address(phone: Phone) -> list[str]:
    assert phone.push is not None
    return [phone.push["address"]]


def _twice(phone: Phone) -> list[str]:
    return _address(phone) * 2


def test_one_alone_that_was_held_back_comes_as_itself(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.olga)
    news(cast, gather.AT_MOST + 1)
    _age(cast.olga, gather.WITHIN)
    gather.due(phone.id)
    gather.due(phone.id)
    push_out.push_out()
    assert [one.data["kind"] for one in pushes.to(phone)] == ["box_offline.owner"] * (gather.AT_MOST + 1)


@transactional
def _age(person: Person, by: timedelta) -> None:
    for row in stage.deliveries(person):
        row.at -= by


def test_another_phone_of_the_same_person_counts_for_itself(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    flooded(cast)
    second = stage.phone(cast.olga)
    news(cast, 1)
    assert len(pushes.to(second)) == 1


def test_the_end_of_the_quiet_hours_is_one_push_not_many(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = stage.phone(cast.olga)
    quiet(cast.olga, on=True)
    news(cast, 4)
    assert pushes.sent == []
    quiet(cast.olga, on=False)
    gather.due(phone.id)
    push_out.push_out()
    assert [one.data.get("count") for one in pushes.to(phone)] == ["4"]


def test_a_flood_that_runs_into_the_quiet_hours_waits_for_their_end(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = flooded(cast)
    quiet(cast.olga, on=True)
    gather.due(phone.id)
    push_out.push_out()
    news(cast, 1)
    assert len(pushes.to(phone)) == gather.AT_MOST
    quiet(cast.olga, on=False)
    gather.due(phone.id)
    push_out.push_out()
    [*_, last] = pushes.to(phone)
    assert last.data["count"] == "4"
    assert held(cast.olga) == []


def test_what_was_gathered_shares_the_fate_of_its_push(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = flooded(cast)
    gather.due(phone.id)
    pushes.refusals.append(PushUnavailable("down"))
    push_out.push_out()
    assert len(held(cast.olga)) == 3
    stage.hurry_pushes()
    pushes.refusals.append(PushRefused("payload"))
    push_out.push_out()
    states = [one.state for one in stage.deliveries(cast.olga)]
    assert states == ["sent"] * gather.AT_MOST + ["failed"] * 3


def held_overnight(cast: Cast, *told: Fact) -> Phone:
    """Olga's phone, to which nothing of this has come in her quiet hours."""
    phone = stage.phone(cast.olga)
    quiet(cast.olga, on=True)
    for fact in told:
        stage.happen(fact)
        push_out.push_out()
    assert all(one.state != "sent" for one in stage.deliveries(cast.olga))
    return phone


def in_the_morning(cast: Cast, phone: Phone, pushes: Pushes) -> list[str]:
    """The kinds that come at the end of the quiet hours."""
    quiet(cast.olga, on=False)
    gather.due(phone.id)
    push_out.push_out()
    return [one.data["kind"] for one in pushes.to(phone)]


@transactional
def read(delivery: Delivery) -> None:
    session.get_one(Message, delivery.message_id).read_at = clock.now()


def test_one_that_is_over_by_the_end_of_the_quiet_hours_takes_no_other_with_it(
    app: Flask, pushes: Pushes
) -> None:
    cast = stage.cast()
    resumed = facts.RentalResumed(rental=cast.rental, command="cmd_" + "0" * 32)
    phone = held_overnight(cast, facts.RentalWithdrawn(rental=cast.rental), resumed)
    assert [one.reason for one in stage.deliveries(cast.olga)] == [None, "too late"]
    assert in_the_morning(cast, phone, pushes) == ["rental_withdrawn.owner"]


def test_what_was_read_in_the_app_meanwhile_is_not_pushed(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = held_overnight(
        cast, facts.RentalWithdrawn(rental=cast.rental), facts.RentalLapsed(rental=cast.rental)
    )
    read(stage.deliveries(cast.olga)[-1])
    assert in_the_morning(cast, phone, pushes) == ["rental_withdrawn.owner"]
    assert [one.reason for one in stage.deliveries(cast.olga)] == [None, "read in the app"]


def test_what_was_gathered_in_one_that_is_read_by_then_goes_out_without_it(
    app: Flask, pushes: Pushes
) -> None:
    cast = stage.cast()
    phone = held_overnight(
        cast, facts.RentalWithdrawn(rental=cast.rental), facts.RentalLapsed(rental=cast.rental)
    )
    gather.due(phone.id)
    push_out.push_out()  # still quiet: the newest, which carries the other, waits once more
    carried, carrier = stage.deliveries(cast.olga)
    assert (carried.gathered_in, carrier.digest) == (carrier.id, True)
    read(carrier)
    assert in_the_morning(cast, phone, pushes) == ["rental_withdrawn.owner"]
    assert [one.state for one in stage.deliveries(cast.olga)] == ["sent", "skipped"]


def test_where_the_newest_comes_too_late_the_next_takes_its_place(app: Flask, pushes: Pushes) -> None:
    cast = stage.cast()
    phone = held_overnight(
        cast, facts.RentalWithdrawn(rental=cast.rental), facts.RentalLapsed(rental=cast.rental)
    )
    pushes.refusals.append(PushUnavailable("away"))
    assert in_the_morning(cast, phone, pushes) == []
    _age_newest(cast.olga)
    stage.hurry_pushes()
    push_out.push_out()
    assert [one.data["kind"] for one in pushes.to(phone)] == ["rental_withdrawn.owner"]
    assert [(one.state, one.reason) for one in stage.deliveries(cast.olga)][-1] == ("skipped", "too late")


@transactional
def _age_newest(person: Person) -> None:
    session.get_one(Message, stage.messages(person)[-1].id).made_at -= timedelta(days=2)
