from flask import Flask

from app.kit.db import new_id
from app.rentals import evidence
from tests.rentals import scene
from tests.rentals.album import build


def test_the_evidence_comes_from_the_rentals_own_records(app: Flask) -> None:
    here = scene.make()
    photo = build(app, here).added(angle="left")
    command = here.unlock()
    found = evidence.of(here.rental_id)
    assert found["customer_email_address"] == here.max.email
    assert str(command.asked_on) in found["access_activity_log"]
    assert here.car.plate in found["product_description"]
    assert "accepted in the app on 20" in found["refund_policy_disclosure"]
    assert "Total: " in found["uncategorized_text"]
    assert f"unlock, left, by the driver: {photo['sha256']}" in found["uncategorized_text"]


def test_of_a_rental_that_is_not_there_nothing_is_said(app: Flask) -> None:
    assert evidence.of(new_id("ren")) == {}
