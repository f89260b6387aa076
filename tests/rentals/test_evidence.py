import io

from flask import Flask
from pypdf import PdfReader

from app.kit.db import new_id
from app.rentals import evidence, photo_sheet
from tests.kit.camera import picture
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


def test_the_photos_are_a_paper_of_a_few_pages_with_their_hashes(app: Flask) -> None:
    album = build(app, scene.make())
    assert photo_sheet.of(album.scene.rental_id) is None
    seen_from = {"left": "red", "right": "blue", "back": "green"}
    made = [
        album.added(angle=angle, sent=picture(size=(1600, 1200), colour=colour))
        for angle, colour in seen_from.items()
    ]
    album.storage.delete(album.row(made[2]["id"]).file)
    sheet = photo_sheet.of(album.scene.rental_id)
    assert sheet is not None
    assert sheet == photo_sheet.of(album.scene.rental_id)
    pages = PdfReader(io.BytesIO(sheet)).pages
    seen = "".join(page.extract_text() for page in pages)
    assert [one["sha256"] in seen for one in made] == [True, True, False]
    assert sum(len(page.images) for page in pages) == 2


def test_of_a_rental_that_is_not_there_nothing_is_said(app: Flask) -> None:
    assert evidence.of(new_id("ren")) == {}
