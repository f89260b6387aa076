"""Legal holds over HTTP: placed, looked at and lifted with a reason, each in the access log."""

from tests import factories
from tests.operator.operators_desk import Desk


def test_an_operator_holds_looks_and_lifts_and_each_is_in_the_access_log(op: Desk) -> None:
    person = factories.person("Max Driver").id
    base, why = f"/people/{person}", {"reason": "a court asked"}
    held = op.call("POST", f"{base}/hold", why).json
    assert held is not None
    assert held["held_for"] == "a court asked"
    assert "name" not in held
    assert op.call("POST", f"{base}/hold", why).status_code == 409
    shown = op.call("POST", f"{base}/identity", why).json
    assert shown is not None
    assert shown["name"] == "Max Driver"
    lifted = op.call("POST", f"{base}/lift-hold", why).json
    assert lifted is not None
    assert lifted["held_for"] is None
    told = [action for _, action, subject, _ in op.acts() if subject == person]
    assert told == ["person lift-hold", "person identity", "person hold"]


def test_what_is_not_held_is_not_lifted(op: Desk) -> None:
    person = factories.person("Max Driver").id
    assert op.call("POST", f"/people/{person}/lift-hold", {"reason": "over"}).status_code == 404
