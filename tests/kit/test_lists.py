"""Short lists are read page by page like the long ones."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.billing import cards
from app.billing.models import Card, Payment
from app.cars import box as boxes
from app.kit import auth, clock
from app.kit.db import new_id, session, transactional
from tests import factories
from tests.kit.asking import Signed, slug
from tests.rentals import scene


def walk(client: FlaskClient, path: str, headers: dict[str, str], limit: int = 1) -> list[str]:
    """The ids of a whole list, read in pages."""
    found: list[str] = []
    cursor = ""
    while True:
        query: dict[str, Any] = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        answer = client.get(path, headers=headers, query_string=query)
        assert answer.status_code == 200, answer.data
        body = answer.get_json()
        assert len(body["items"]) <= limit
        found += [one["id"] for one in body["items"]]
        if body["next_cursor"] is None:
            return found
        cursor = body["next_cursor"]


@pytest.fixture
def driving(house: Flask) -> tuple[scene.Scene, dict[str, str]]:
    """Max has booked Olga's car; he is signed in."""
    with house.app_context():
        made = scene.make()
        token = auth.person_token(made.max.id, made.session, made.phone.id)
    return made, {"Authorization": f"Bearer {token}"}


def test_cards(house: Flask, client: FlaskClient, olga: Signed) -> None:
    with house.app_context():
        made = [cards.begin(olga.id).id for _ in range(3)]
    assert walk(client, "/v1/me/cards", olga.headers) == made[::-1]
    assert walk(client, "/v1/me/cards", olga.headers, limit=3) == made[::-1]
    answer = client.get("/v1/me/cards?cursor=odd", headers=olga.headers)
    assert (answer.status_code, slug(answer)) == (422, "validation")


def test_payments_of_a_rental(
    house: Flask, client: FlaskClient, driving: tuple[scene.Scene, dict[str, str]]
) -> None:
    made, headers = driving
    with house.app_context():
        paid = [_payment(made) for _ in range(3)]
    assert walk(client, f"/v1/rentals/{made.rental_id}/payments", headers) == paid


@transactional
def _payment(made: scene.Scene) -> str:
    now = clock.now()
    card = Card(id=new_id("crd"), person_id=made.max.id, state="saved", made_at=now)
    session.add(card)
    session.flush()
    row = Payment(
        id=new_id("pay"),
        rental_id=made.rental_id,
        person_id=made.max.id,
        payee=made.olga.id,
        card_id=card.id,
        purpose="extras",
        state="planned",
        currency="EUR",
        amount=100,
        starts_at=now,
        on_session=False,
        made_at=now,
        changed_at=now,
    )
    session.add(row)
    session.flush()
    return row.id


def ready(made: scene.Scene, north: float) -> str:
    """Another car of the community, so many degrees north of the booked one, with a box that was just heard."""
    home = {"lat": made.car.home_lat + north, "lon": made.car.home_lon, "label": ""}
    car = factories.shared(made.olga, made.community, home=home)
    pin = {"kind": "simulator", "has_immobiliser": True, "key_sensor": True, "config": {"pin": "4711"}}
    boxes.put(made.olga.id, car.id, pin)
    boxes.find(car.id).last_heard_at = clock.now()
    session.commit()
    return car.id


def test_alternatives(house: Flask, client: FlaskClient, driving: tuple[scene.Scene, dict[str, str]]) -> None:
    made, headers = driving
    with house.app_context():
        others = [ready(made, north) for north in (0.2, 0.1, 0.3)]
    nearest_first = [others[1], others[0], others[2]]
    assert walk(client, f"/v1/rentals/{made.rental_id}/alternatives", headers) == nearest_first
