"""A rental from start to end without signal: the grant before, the receipts after, and all that lies between."""

from datetime import timedelta

import pytest
from flask import Flask

from app.kit import clock
from app.rentals.lifecycle import State
from tests.rentals.garage import Garage, build


@pytest.fixture
def garage(app: Flask) -> Garage:
    del app
    return build()


def test_a_rental_starts_and_ends_in_a_garage(garage: Garage) -> None:
    fetched = garage.fetched()
    (promised,) = garage.covers()
    assert promised.state == "conditional"
    assert len(fetched["grant"]) == 204

    clock.forward(timedelta(minutes=10))
    opened = clock.now()
    unlock = garage.do("unlock")
    assert not garage.car.locked
    garage.drive(12)
    clock.forward(timedelta(minutes=50))
    closed = clock.now()
    lock = garage.do("lock")
    assert garage.car.locked
    assert garage.rental.stands is State.BOOKED

    clock.forward(timedelta(minutes=5))
    assert garage.upload(unlock, lock) == ["accepted", "accepted"]
    rental = garage.rental
    assert rental.stands is State.ENDED
    assert rental.started_at == opened.replace(microsecond=0)
    assert rental.ended_at == closed.replace(microsecond=0)
    (cover,) = garage.covers()
    assert (cover.state, cover.from_at, cover.to_at) == ("closed", rental.started_at, rental.ended_at)
    assert cover.covered_minutes == cover.charged_minutes
    assert (cover.odometer_start_km, cover.odometer_end_km) == (41940, 41952)
    assert garage.custody()[-2:] == [
        ("driver", rental.started_at, rental.ended_at),
        ("owner", rental.ended_at, None),
    ]
