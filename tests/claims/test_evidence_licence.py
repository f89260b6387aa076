"""The licence in the evidence is the one that was looked at when the cover began, whatever became of it and its holder."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.account import erase, forget
from app.coverage import ahead
from app.coverage.driver_models import LicenceCheck
from app.kit import clock
from app.kit.clock import z
from app.kit.db import session, transactional
from app.people import licence
from app.rentals import grants_out
from tests.claims.test_evidence_pack import Claimed
from tests.rentals.scene import Scene, make

YEAR = timedelta(days=367)
LATER: dict[str, Any] = {
    "number": "SECRET-0815",
    "country": "DE",
    "classes": ["AM", "B"],
    "birth_date": None,
    "issued_on": None,
    "expires_on": None,
}


@pytest.fixture
def claimed(app: Flask) -> Claimed:
    return Claimed(app, make())


def seen(claimed: Claimed) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(claimed.pack()["licence.json"])
    return found


def record_another(scene: Scene) -> None:
    held = licence.of(scene.max.id)
    dates = {name: getattr(held, name) for name in ("birth_date", "issued_on", "expires_on")}
    licence.record(scene.max.id, LATER | dates)


def test_a_licence_recorded_after_the_cover_began_is_not_the_one_that_was_looked_at(claimed: Claimed) -> None:
    before = seen(claimed)
    assert before["licence"]["looked_at"] <= z(claimed.cover.from_at)
    assert not before["licence"]["recorded_after_the_cover_began"]
    clock.forward(timedelta(hours=1))
    record_another(claimed.scene)
    after = seen(claimed)
    assert after["licence"] == before["licence"]
    assert (after["licence"]["country"], after["licence"]["classes"]) == ("FR", ["B"])
    assert after["clearances"][0]["counted"], "what stood when it began, although it was withdrawn since"


def test_erasing_the_driver_while_a_claim_is_open_leaves_what_was_looked_at(claimed: Claimed) -> None:
    before, person = seen(claimed), claimed.scene.max.id
    session.rollback()
    erase.erase(person)
    assert seen(claimed) == before
    clock.forward(2 * YEAR)
    forget.forget()
    assert seen(claimed) == before, "the claim is open still"


def test_once_the_claim_is_over_who_looked_and_when_is_left_and_the_licence_is_not(claimed: Claimed) -> None:
    before, person = seen(claimed), claimed.scene.max.id
    session.rollback()
    erase.erase(person)
    headers = claimed.client("claims:write")
    path, http = f"/v1/insurer/claims/{claimed.claim}", claimed.house.test_client()
    tag = http.get(path, headers=headers).headers["ETag"]
    over = http.patch(path, headers={**headers, "If-Match": tag}, json={"status": "closed"})
    assert over.status_code == 200, over.text
    session.rollback()
    forget.forget()
    assert seen(claimed) == before, "for a year a fine may look for who drove"
    clock.forward(YEAR)
    forget.forget()
    assert seen(claimed) == {**before, "licence": None}
    assert session.query(LicenceCheck).filter(LicenceCheck.person_id == person).count() == 0


def test_what_is_kept_of_a_licence_is_sealed_and_has_no_number(claimed: Claimed) -> None:
    held = licence.of(claimed.scene.max.id)
    rows = session.query(LicenceCheck).filter(LicenceCheck.person_id == claimed.scene.max.id).all()
    assert rows
    for row in rows:
        assert b"classes" not in bytes(row.said_sealed)
    assert held.number_end not in json.dumps(seen(claimed)["licence"])


def test_of_a_rental_that_was_covered_twice_each_cover_has_what_was_looked_at_for_it(app: Flask) -> None:
    scene = make()
    trip = grants_out.trip(scene.car, scene.rental)
    transactional(ahead.bind)(trip, trip.from_at, trip.to_at)
    clock.forward(timedelta(minutes=20))
    held = licence.of(scene.max.id)
    held.classes = ["A", "B"]
    session.commit()
    scene.reads(locked=True)
    claimed = Claimed(app, scene)
    assert seen(claimed)["licence"]["classes"] == ["A", "B"], "looked at again as the doors opened"
