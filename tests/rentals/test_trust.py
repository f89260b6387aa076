"""Who may book without asking where a community goes by trust: by how the last rentals there went."""

import pytest
from flask import Flask

from app.billing.models import Payment
from app.billing.states import CHARGE_REQUEST, State
from app.kit import clock
from app.kit.db import new_id, session
from app.rentals import trust
from app.rentals.lifecycle import State as Stands
from app.rentals.models import Rental
from app.rentals.word_models import Review
from tests.rentals.scene import Scene, other_rental


@pytest.fixture
def rentals(app: Flask, scene: Scene) -> list[Rental]:
    """Three of Max's, all over."""
    del app
    ids = [scene.rental_id, other_rental(scene).id, other_rental(scene).id]
    made = [session.get_one(Rental, one) for one in ids]
    for one in made:
        one.state = Stands.SETTLED.value
    session.commit()
    return made


def trusted(scene: Scene) -> bool:
    return trust.is_trusted(scene.max.id, scene.community.id)


def review(rental: Rental, scene: Scene, stars: int, *, opened: bool = True) -> None:
    now = clock.now()
    session.add(
        Review(
            id=new_id("rev"),
            rental_id=rental.id,
            side="owner",
            by_id=scene.olga.id,
            stars=stars,
            made_at=now,
            opened_at=now if opened else None,
        )
    )
    session.commit()


def test_three_rentals_that_went_well_are_enough(scene: Scene, rentals: list[Rental]) -> None:
    assert trusted(scene)


def test_two_are_not(scene: Scene, rentals: list[Rental]) -> None:
    rentals[0].state = Stands.NO_SHOW.value
    session.commit()
    assert not trusted(scene)


def test_another_communitys_rentals_say_nothing(scene: Scene, rentals: list[Rental]) -> None:
    assert not trust.is_trusted(scene.max.id, new_id("com"))


def test_reviews_below_four_stars_are_not_trusted(scene: Scene, rentals: list[Rental]) -> None:
    review(rentals[0], scene, 5)
    assert trusted(scene)
    review(rentals[1], scene, 2)
    assert not trusted(scene)


def test_a_review_that_is_not_open_yet_does_not_give_itself_away(scene: Scene, rentals: list[Rental]) -> None:
    review(rentals[0], scene, 1, opened=False)
    assert trusted(scene)


def test_what_was_charged_afterwards_counts_until_it_is_given_back(
    scene: Scene, rentals: list[Rental]
) -> None:
    row = Payment(
        rental_id=rentals[2].id,
        person_id=scene.max.id,
        payee=scene.olga.id,
        purpose=CHARGE_REQUEST,
        state=State.CAPTURED.value,
        currency="EUR",
        amount=5000,
        captured=5000,
        on_session=False,
        starts_at=clock.now(),
        made_at=clock.now(),
        changed_at=clock.now(),
    )
    session.add(row)
    session.commit()
    assert not trusted(scene)
    row.state = State.REFUNDED.value
    session.commit()
    assert trusted(scene)
