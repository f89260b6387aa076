"""The register of a car's damage over HTTP: who reports what when, who reads it, and that an unsafe car stays shut."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.communities import accept, invite, leave
from app.facts import DamageChanged, DamageReported
from app.kit import clock
from app.kit.db import new_id, session
from app.kit.errors import InUse
from app.kit.facts import FactRow
from app.operator import act
from app.people.models import Person
from app.rentals import book, damages, quote
from app.rentals.damage_models import Damage
from app.rentals.lifecycle import State
from tests import factories
from tests.kit.asking import session_of
from tests.rentals import album
from tests.rentals.garage import Garage, build
from tests.rentals.scene import Scene, other_rental

HOUR = timedelta(hours=1)
DENT: dict[str, Any] = {"part": "left", "text": "A dent in the rear door."}


class Register:
    """The damages of the scene's car."""

    def __init__(self, app: Flask, scene: Scene) -> None:
        self.app, self.scene = app, scene

    def ask(self, who: Person, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        session.rollback()
        url = f"/v1/cars/{self.scene.car_id}/damages{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().open(
            url, method=method, json=body, headers=session_of(who).headers | named
        )

    def __call__(
        self, who: Person, method: str, path: str, status: int, body: Any = None, **headers: str
    ) -> Any:
        answer = self.ask(who, method, path, body, **headers)
        assert answer.status_code == status, answer.text
        return answer.json

    def report(self, who: Person, status: int = 201, **more: Any) -> Any:
        return self(who, "POST", "", status, DENT | more)

    def change(self, who: Person, damage: str, body: Any, status: int = 200) -> Any:
        tag = self.ask(who, "GET", f"/{damage}").headers["ETag"]
        return self(who, "PATCH", f"/{damage}", status, body, If_Match=tag)

    def listed(self, who: Person) -> Any:
        return self(who, "GET", "", 200)["items"]


@pytest.fixture
def register(app: Flask, scene: Scene) -> Register:
    return Register(app, scene)


def nina(scene: Scene) -> Person:
    """Another member."""
    made = factories.person("Nina Neighbour")
    invitation = invite.invite(scene.olga.id, scene.community.id, {"email": made.email})
    accept.accept(made.id, invite.code_of(invitation.id))
    return made


def test_what_a_driver_sees_before_the_unlock_is_anothers(register: Register) -> None:
    made = register.report(register.scene.max)
    assert (made["seen"], made["rental"], made["state"]) == (
        "before_unlock",
        register.scene.rental_id,
        "open",
    )


def test_what_is_seen_after_the_unlock_says_so(register: Register) -> None:
    rental = register.scene.rental
    rental.state, rental.started_at = State.ACTIVE.value, clock.now()
    session.commit()
    assert register.report(register.scene.max)["seen"] == "after_unlock"


def test_the_owner_reports_without_a_rental(register: Register) -> None:
    made = register.report(register.scene.olga)
    assert (made["seen"], made["rental"]) == ("by_owner", None)


def test_every_member_reads_what_is_known_and_not_in_which_rental_it_was_seen(register: Register) -> None:
    register.report(register.scene.max)
    [seen] = register.listed(nina(register.scene))
    assert (seen["text"], seen["rental"]) == (DENT["text"], None)
    register(factories.person("Charlie"), "GET", "", 404)


def test_who_does_not_drive_the_car_now_reports_nothing(register: Register) -> None:
    register.report(nina(register.scene), 403)
    register.report(factories.person("Charlie"), 404)


@pytest.mark.parametrize(("after", "status"), [(23, 201), (25, 403)])
def test_a_driver_reports_up_to_a_day_after_the_lock(register: Register, after: int, status: int) -> None:
    rental = register.scene.rental
    rental.state, rental.ended_at = State.ENDED.value, clock.now()
    session.commit()
    clock.forward(after * HOUR)
    register.report(register.scene.max, status)


def test_whoever_has_booked_many_times_ahead_reports_what_they_see_now(register: Register) -> None:
    scene = register.scene
    for n in range(2, 22):
        at = scene.rental.from_at + 2 * n * HOUR
        quoted = quote.quote(scene.max.id, {"car": scene.car_id, "from_": at, "to": at + HOUR})
        book.book(scene.max.id, {"quote": quoted.id, "accept": quoted.conditions})
    assert register.report(scene.max, unsafe=True)["rental"] == scene.rental_id


def test_with_an_unsafe_damage_nobody_unlocks_until_its_owner_says_so(register: Register) -> None:
    scene = register.scene
    made = register.report(scene.max, unsafe=True)
    assert "safe" in scene.unmet("unlock")
    register.change(scene.max, made["id"], {"unsafe": False}, 403)
    register.change(scene.olga, made["id"], {"unsafe": False})
    assert "safe" not in scene.unmet("unlock")


def test_a_repaired_car_is_safe_again(register: Register) -> None:
    scene = register.scene
    made = register.report(scene.olga, unsafe=True)
    assert register.change(scene.olga, made["id"], {"state": "repaired"})["repaired_at"] is not None
    assert "safe" not in scene.unmet("unlock")


def test_who_was_removed_reads_their_report_and_adds_photos_for_a_day(register: Register) -> None:
    scene = register.scene
    seen = album.build(register.app, scene)
    album.start(scene)
    leave.leave(scene.olga.id, scene.community.id, scene.max.id)
    answer = register.ask(scene.max, "POST", "", DENT)
    here = "/" + answer.headers["Location"].rpartition("/")[2]
    photo = seen.added(step="damage")["id"]
    assert register.change(scene.max, here[1:], {"photos": [photo]})["photos"] == [photo]
    assert register.ask(scene.max, "GET", f"{here}/photos/{photo}/file").status_code == 200
    register(scene.max, "GET", "", 404)
    clock.forward(25 * HOUR)
    register(scene.max, "GET", here, 404)


def test_who_is_suspended_says_that_a_car_is_unsafe_and_not_that_it_is_safe(register: Register) -> None:
    scene = register.scene
    scene.set_state("active")
    made = register.report(scene.max)["id"]
    session.get_one(Person, scene.max.id).suspended_at = clock.now()
    scene.car.owner_id = scene.max.id
    session.commit()
    assert register.change(scene.max, made, {"unsafe": True})["unsafe"] is True
    for wrong in ({"unsafe": False}, {"state": "repaired"}):
        register.change(scene.max, made, wrong, 403)


def test_an_owner_does_not_lift_what_an_operator_barred(register: Register) -> None:
    scene = register.scene
    act.set_safe(scene.car_id, safe=False, by="operator", reason="brakes")
    made = register.report(scene.olga, unsafe=True)
    register.change(scene.olga, made["id"], {"state": "repaired"})
    assert "safe" in scene.unmet("unlock")


def test_an_operator_does_not_lift_what_a_damage_says(register: Register) -> None:
    scene = register.scene
    register.report(scene.max, unsafe=True)
    act.set_safe(scene.car_id, safe=False, by="operator", reason="brakes")
    act.set_safe(scene.car_id, safe=True, by="operator", reason="looked at")
    assert "safe" in scene.unmet("unlock")


def test_what_was_written_stays_and_who_reported_may_add_that_it_is_unsafe(register: Register) -> None:
    scene = register.scene
    made = register.report(scene.max)
    register.change(scene.max, made["id"], {"text": "Nothing."}, 422)
    register.change(scene.max, made["id"], {"state": "repaired"}, 403)
    assert register.change(scene.max, made["id"], {"unsafe": True})["unsafe"] is True
    clock.forward(25 * HOUR)
    register.change(scene.max, made["id"], {"unsafe": True}, 403)


def test_a_photo_of_another_rental_is_refused(register: Register) -> None:
    answer = register.report(register.scene.max, 422, photos=[new_id("pic")])
    assert answer["errors"][0]["pointer"] == "/photos/0"


def test_whoever_sees_the_car_sees_the_photos_shown_with_a_damage(register: Register) -> None:
    scene = register.scene
    photo = album.build(register.app, scene).added(angle="damage")["id"]
    other = nina(scene)
    made = register.report(scene.max, photos=[photo])
    shown = register.ask(other, "GET", f"/{made['id']}/photos/{photo}/file")
    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    bare = register.report(scene.max)
    assert register.ask(other, "GET", f"/{bare['id']}/photos/{photo}/file").status_code == 404


def test_a_grant_in_hand_ends_with_an_unsafe_car(app: Flask) -> None:
    del app
    garage: Garage = build(8)
    garage.fetched()
    scene = garage.scene
    made = damages.report(scene.olga.id, scene.car_id, DENT | {"unsafe": True})
    damages.on_reported(
        DamageReported(scene.car_id, made.id, None, scene.olga.id, part=made.part, unsafe=True)
    )
    assert garage.grants()[0].revoked_for == "unsafe"


def test_a_damage_that_is_repaired_takes_no_grant_away(app: Flask) -> None:
    del app
    garage: Garage = build(8)
    scene = garage.scene
    made = damages.report(scene.olga.id, scene.car_id, DENT | {"unsafe": True})
    damages.change(scene.olga.id, scene.car_id, made.id, {"state": "repaired"}, lambda _: None)
    garage.fetched()
    fact = DamageChanged(
        scene.car_id, made.id, scene.olga.id, state="repaired", unsafe=True, became_unsafe=False
    )
    damages.on_reported(fact)
    assert garage.grants()[0].revoked_for is None


def test_an_operator_is_told_that_a_damage_bars_the_car(register: Register) -> None:
    made = register.report(register.scene.max, unsafe=True)
    with pytest.raises(InUse) as refused:
        act.set_safe(register.scene.car_id, safe=True, by="operator", reason="looked at")
    assert refused.value.members["by"] == [f"damage {made['id']}"]


def test_a_photo_of_another_drivers_rental_is_not_added_either(register: Register) -> None:
    scene = register.scene
    photo = album.build(register.app, scene).added(angle="damage")["id"]
    other = nina(scene)
    row = Damage(
        id=new_id("dmg"),
        car_id=scene.car_id,
        rental_id=other_rental(scene).id,
        by_id=other.id,
        before_unlock=True,
        part="left",
        text="A dent.",
        photos=[],
        unsafe=False,
        made_at=clock.now(),
    )
    session.add(row)
    session.commit()
    assert register.change(other, row.id, {"photos": [photo]}, 422)["errors"][0]["pointer"] == "/photos/0"


def test_becoming_unsafe_is_said_once(register: Register) -> None:
    made = register.report(register.scene.max)
    for _ in range(2):
        register.change(register.scene.max, made["id"], {"unsafe": True})
    rows = select(FactRow.data["became_unsafe"]).where(FactRow.data["damage"].astext == made["id"])
    said = session.scalars(rows.where(FactRow.kind == DamageChanged.kind).order_by(FactRow.seq)).all()
    assert said == [True, False]
