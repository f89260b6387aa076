"""An operator takes a box out or reports a theft over HTTP, with a reason."""

from flask import Flask

from app.cars import box as boxes
from app.kit.db import session
from tests import factories
from tests.cars.street import BOX, broker
from tests.operator.operators_desk import Desk
from tests.rentals.scene import make

WHY = {"reason": "the police have the report"}


def test_a_theft_of_a_lent_car_is_reported_with_a_reason(app: Flask, op: Desk) -> None:
    scene = make()
    scene.unlock()
    path = f"/cars/{scene.car_id}/stolen"
    assert op.call("POST", path).status_code in {415, 422}
    with broker(app):
        answer = op.call("POST", path, WHY)
    assert answer.get_json() == {"car": scene.car_id, "safe": False}
    session.expire_all()
    assert boxes.live(scene.car_id) is None
    assert op.acts()[0] == (op.person.id, "car stolen", scene.car_id, WHY["reason"])


def test_a_box_is_taken_out_of_a_lent_car_with_a_reason(app: Flask, op: Desk) -> None:
    scene = make()
    scene.unlock()
    path = f"/cars/{scene.car_id}/box"
    assert op.call("DELETE", path).status_code == 422
    with broker(app):
        assert op.call("DELETE", path, Reason="the box is dead").status_code == 204
    session.expire_all()
    assert boxes.live(scene.car_id) is None
    assert not scene.car.unsafe
    assert op.call("DELETE", path, Reason="again").status_code == 404
    assert op.acts()[0][1:] == ("box remove", scene.car_id, "the box is dead")


def test_others_cut_nothing(stranger: Desk) -> None:
    olga = factories.person()
    car = factories.car(olga).id
    boxes.put(olga.id, car, BOX)
    assert stranger.call("POST", f"/cars/{car}/stolen", WHY).status_code == 403
    assert stranger.call("DELETE", f"/cars/{car}/box", Reason="mine").status_code == 403
    session.expire_all()
    assert boxes.live(car) is not None
