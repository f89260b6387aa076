"""A car is registered once."""

import threading
from typing import Any

from flask import Flask

from app.cars import add
from app.kit.errors import AlreadyExists
from tests import factories
from tests.communities.circle import Voice, voice

CAR: dict[str, Any] = {
    "make": "smart",
    "model": "EQ fortwo",
    "powertrain": "electric",
    "seats": 2,
    "country": "FR",
    "time_zone": "Europe/Paris",
    "home": {"lat": 48.8566, "lon": 2.3522, "label": "Place de la Mairie"},
}


def test_a_vehicle_number_is_in_use_once(app: Flask, olga: Voice) -> None:
    first = factories.car(olga.person)
    other = voice(app, "Charlie Stranger")
    again = {**CAR, "plate": f"X-{first.no}", "vin": first.vin}
    answer = other.answer("POST", "/cars", again)
    assert (answer.status_code, answer.get_json()["type"]) == (409, "/problems/already-exists")
    assert "vehicle number" in answer.get_json()["detail"]


def test_a_removed_car_may_be_registered_again(olga: Voice) -> None:
    first = factories.car(olga.person)
    olga("DELETE", f"/cars/{first.id}", want=204)
    olga("POST", "/cars", {**CAR, "plate": f"Y-{first.no}", "vin": first.vin}, want=201)


def test_of_two_who_register_a_vehicle_number_at_once_one_is_refused(house: Flask, olga: Voice) -> None:
    vin = factories.car(olga.person).vin
    olga_removed = olga("GET", "/cars")["items"][0]["id"]
    olga("DELETE", f"/cars/{olga_removed}", want=204)
    refused: list[str] = []

    def register(plate: str) -> None:
        with house.app_context():
            try:
                add.add(olga.id, {**CAR, "plate": plate, "vin": vin})
            except AlreadyExists as problem:
                refused.append(problem.slug)

    both = [threading.Thread(target=register, args=(f"Z-{vin[-6:]}{n}",)) for n in (1, 2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert refused == ["already-exists"]
