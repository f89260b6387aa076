"""A rental that outlasts its hold is paid at the pickup and evened out at its end."""

from datetime import UTC, datetime, timedelta

import pytest

from app import reactions
from app.billing import deposit, hold, pickup, refused, transfer
from app.billing.states import State
from app.facts import RentalStarted
from app.kit import clock
from app.kit.db import release, session, transactional
from app.rentals import pickup as at_pickup
from payments.tariff import Line, Price
from tests.billing.desk import VISA, Desk, eur
from tests.rentals.scene import make

HELD, PRICE = 9000, 8000
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ENDS = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("capture_before", "late"),
    [
        (None, False),
        (ENDS - HOUR, True),
        (ENDS, True),
        (ENDS + pickup.MARGIN - HOUR, True),
        (ENDS + pickup.MARGIN, False),
        (ENDS + 5 * DAY, False),
    ],
)
def test_a_rental_outlasts_a_hold_that_ends_before_it_or_within_the_margin(
    capture_before: datetime | None, *, late: bool
) -> None:
    assert pickup.outlasts(ENDS, capture_before) is late


def picked_up(desk: Desk, rental: str, days: int = 10) -> None:
    pickup.picked_up(rental, clock.now() + days * DAY, eur(PRICE))
    release()


def long_one(desk: Desk, **more: object) -> str:
    rental = desk.held(HELD, **more)
    picked_up(desk, rental)
    assert desk.jobs() == []
    row = desk.payment(rental)
    assert (row.state, row.captured, row.owed) == ("captured", PRICE, None)
    return rental


def paid(desk: Desk, rental: str) -> int:
    return sum(one.captured - one.refunded for one in desk.payments(rental))


def test_the_price_is_taken_and_the_allowance_freed(desk: Desk) -> None:
    rental = long_one(desk)
    (intent,) = desk.double_intents(rental)
    assert (intent["status"], intent["amount_received"], intent["amount_capturable"]) == (
        "succeeded",
        PRICE,
        0,
    )
    assert desk.standing(rental) == "captured"
    picked_up(desk, rental)
    assert desk.jobs() == []
    assert paid(desk, rental) == PRICE


def test_a_short_one_is_held_until_its_end(desk: Desk) -> None:
    rental = desk.held(HELD)
    picked_up(desk, rental, days=2)
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"


def test_while_it_is_taken_the_car_still_opens(desk: Desk) -> None:
    rental = desk.held(HELD)
    desk.double.post("fault", next="400", path="/capture")
    picked_up(desk, rental)
    assert desk.jobs() == []
    assert (desk.payment(rental).state, desk.standing(rental)) == ("capturing", "held")
    desk.forward(refused.AGAIN[0])
    for one in desk.commands(desk.payment(rental).id):
        desk.due(one.id)
    assert desk.jobs() == []
    assert (desk.payment(rental).captured, desk.standing(rental)) == (PRICE, "captured")


@pytest.mark.parametrize("total", [0, 5000, PRICE, HELD, 12_345])
def test_the_end_gives_back_what_was_too_much_and_charges_what_is_missing(desk: Desk, total: int) -> None:
    rental = long_one(desk)
    desk.forward(10 * DAY)
    assert desk.end(rental, total) == []
    assert paid(desk, rental) == total
    books = desk.books(rental)
    assert sum(books.values()) == 0
    shares = ("payable", "revenue", "reserve")
    assert sum(amount for account, amount in books.items() if account.endswith(shares)) == -total
    assert len(desk.double_intents(rental)) == (2 if total > PRICE else 1)


def test_an_end_before_the_capture_is_answered_takes_what_is_owed_once(desk: Desk) -> None:
    rental = desk.held(HELD)
    picked_up(desk, rental)
    desk.double.post("fault", next="drop_after_commit", path="/capture")
    assert len(desk.jobs()) == 1
    assert desk.end(rental, 8600) == []
    assert paid(desk, rental) == 8600
    assert [(one.purpose, one.captured) for one in desk.payments(rental)] == [
        ("rent", PRICE),
        ("extras", 600),
    ]


def test_the_owner_is_paid_after_the_end_and_not_while_the_car_is_out(desk: Desk) -> None:
    desk.owner()
    rental = long_one(desk)
    number = desk.payment(rental).id
    transfer.plan(number)
    assert number not in transfer.plan_forgotten()
    release()
    assert transfer.of(number) is None
    release()
    desk.forward(10 * DAY)
    assert desk.end(rental, 5000) == []
    assert desk.transfer(rental).due_at > clock.now()
    assert desk.pay_out(rental) == []
    assert (desk.transfer(rental).state, desk.transfer(rental).amount) == ("settled", 3750)


def test_an_extension_is_held_besides_and_renewed_like_the_deposit(desk: Desk) -> None:
    rental = long_one(desk, deposited=50_000)
    hold.raise_amount(rental, eur(2000))
    release()
    assert desk.jobs() == []
    rows = {one.purpose: one for one in desk.payments(rental)}
    assert {name: one.state for name, one in rows.items()} == {
        "rent": "captured",
        "extras": "held",
        "deposit": "held",
    }
    for name in ("extras", "deposit"):
        ends = rows[name].capture_before
        assert ends is not None
        desk.forward(max(timedelta(0), ends - 11 * HOUR - clock.now()))
        assert desk.due(rows[name].id) == ["hold_renew"]
        assert desk.jobs() == []
    assert desk.end(rental, 9500) == []
    assert paid(desk, rental) == 9500
    desk.forward(deposit.INSPECTION)
    desk.due(rows["deposit"].id)
    assert desk.jobs() == []
    assert desk.deposit(rental).state == State.RELEASED


def test_cancelled_before_the_pickup_it_is_as_any_other(desk: Desk) -> None:
    rental = desk.held(HELD)
    assert desk.cancel(rental, owed=2000) == []
    picked_up(desk, rental)
    assert desk.jobs() == []
    assert paid(desk, rental) == 2000


def test_a_hold_lost_before_it_is_taken_is_made_anew(desk: Desk) -> None:
    rental = desk.held(HELD, who=desk.driver(VISA))
    desk.forward(8 * DAY)
    picked_up(desk, rental)
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert desk.end(rental, PRICE) == []
    assert paid(desk, rental) == PRICE


@pytest.mark.parametrize(("days", "state"), [(10, "captured"), (1, "held")])
def test_the_first_unlock_takes_the_price_of_a_booked_rental_that_outlasts_its_hold(
    desk: Desk, days: int, state: str
) -> None:
    scene = make()
    rental, now = scene.rental, clock.now()
    rental.to_at = now + days * DAY
    rental.price = Price((Line("time", 1, "rental", eur(PRICE)),), eur(PRICE)).to_dict()
    session.commit()
    transactional(hold.plan)(
        rental=scene.rental_id,
        driver=scene.max.id,
        payee=scene.olga.id,
        community=None,
        amount=eur(HELD),
        starts_at=now,
        card=desk.save_card(scene.max.id),
        on_session=False,
    )
    assert desk.jobs() == []
    started = RentalStarted(rental=scene.rental_id, command=None, at=now)
    (reaction,) = (one for one in reactions.TABLE[RentalStarted] if one is at_pickup.on_started)
    transactional(reaction)(started)
    release()
    assert desk.jobs() == []
    assert desk.payment(scene.rental_id).state == state
