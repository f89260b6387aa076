"""docs/insurers.http: every request of it is sent here as it stands; whoever follows it finds what the API has."""

from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from app.coverage import bordereaux, cover, log_head, partners
from app.kit import clock
from app.kit.auth import Who
from app.kit.db import session
from app.kit.routes import RULES
from tests.claims import collection
from tests.coverage import factories
from tests.coverage.factories import seal
from tests.rentals.album import drive
from tests.rentals.scene import make


def a_closed_month() -> str:
    """An insurer with an ended cover in a month that is closed, and a signed head over it; returns the insurer's id."""
    scene = make()
    drive(scene)
    driven = cover.of(scene.rental_id)
    assert driven is not None
    month, insurer = driven.from_at.isoformat()[:7], driven.insurer_id
    seal()
    clock.forward(timedelta(days=40))
    bordereaux.close(month, insurer=insurer)
    log_head.sign_log_head()
    seal()
    return insurer


def test_every_request_of_the_collection_is_answered(app: Flask) -> None:
    http: Any = app.test_client()
    client, secret = factories.client(a_closed_month(), *partners.SCOPES)
    every = collection.read()
    every.variables |= {"api": "", "client": client.id, "secret": secret}
    session.rollback()
    for asked in every.requests:
        headers = {name: every.fill(value) for name, value in asked.headers.items()}
        answer = http.open(
            every.fill(asked.url), method=asked.method, headers=headers, data=every.fill(asked.body)
        )
        assert answer.status_code < 300, (asked.title, answer.text)
        if asked.name:
            every.answers[asked.name] = answer


def test_the_collection_has_every_route_of_insurers(house: Flask) -> None:
    known = house.url_map.bind("glovebox.test")
    wanted = {name for name, rule in RULES.items() if rule.who is Who.PARTNER}
    assert wanted <= {_route(known, asked) for asked in collection.read().requests}


def _route(known: Any, asked: collection.Asked) -> str | None:
    """The endpoint a request leads to; what stands for an id is one of the kind that the route wants."""
    path = asked.url.removeprefix("{{api}}").partition("?")[0]
    for part, kind in _STANDS_FOR.items():
        path = path.replace(part, kind)
    try:
        endpoint, _ = known.match(path, asked.method)
    except HTTPException:
        return None
    return str(endpoint)


_STANDS_FOR = {
    "{{cover}}": f"cov_{'0' * 32}",
    "{{notice.response.body.$.id}}": f"clm_{'0' * 32}",
    "{{webhook.response.body.$.id}}": f"whk_{'0' * 32}",
    "{{month}}": "2027-03",
}
