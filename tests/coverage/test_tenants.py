"""Insurer A's covers stay A's: every route of insurers is asked by B about them, and nothing of A's is in the answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.coverage import bordereaux, log_head, partners, webhooks
from app.coverage.models import Cover
from app.kit import clock
from app.kit.auth import Who
from app.kit.clock import z
from app.kit.db import session
from app.kit.routes import RULES
from tests.coverage import factories
from tests.coverage.factories import bearer, bind, seal

Asked = tuple[str, str, dict[str, Any]]


@dataclass
class Tenants:
    """A gave cover to a car of a circle; B asks."""

    circle: factories.Circle
    cover: Cover
    month: str
    webhook: str
    claim: str
    secrets: tuple[str, ...]
    rival: dict[str, str]


@pytest.fixture
def tenants(http: Any, app: Flask) -> Tenants:
    circle = factories.circle()
    ended = factories.ended(circle)
    own = factories.client(circle.policy.insurer_id, "claims:write")
    claimed = http.post("/v1/insurer/claims", headers=bearer(http, own), json=notice(ended, "S-1"))
    session.rollback()
    seal()
    month = ended.from_at.isoformat()[:7]
    clock.forward(timedelta(days=40))
    bordereaux.close(month, insurer=circle.policy.insurer_id)
    log_head.sign_log_head()
    seal()
    listed = "select id::text from bordereaux where insurer_id = :insurer"
    made = session.execute(text(listed), {"insurer": circle.policy.insurer_id.split("_")[1]}).scalars()
    webhook = webhooks.add(circle.policy.insurer_id, url="https://a.example/changes", events=[])[0].id
    secrets = (
        webhook,
        "a.example",
        ended.id,
        ended.certificate_id,
        ended.driver_ref,
        circle.policy.id,
        circle.policy.number,
        circle.policy.insurer_id,
        claimed.json["id"],
        *(f"bdx_{one.replace('-', '')}" for one in made),
    )
    session.rollback()
    return Tenants(
        circle,
        ended,
        month,
        webhook,
        claimed.json["id"],
        secrets,
        bearer(http, factories.client(factories.insurer("Rival").id, *partners.SCOPES)),
    )


def of_cover(end: str = "") -> Callable[[Tenants], Asked]:
    return lambda t: ("GET", f"/covers/{t.cover.id}{end}", {})


def plain(path: str) -> Callable[[Tenants], Asked]:
    return lambda _: ("GET", path, {})


def by_plate(path: str) -> Callable[[Tenants], Asked]:
    return lambda t: (
        "GET",
        path,
        {"query_string": {"plate": t.circle.car.plate, "country": "FR", "at": z(t.cover.from_at)}},
    )


def notice(cover: Cover, reference: str) -> dict[str, str]:
    return {"cover": cover.id, "occurred_at": z(cover.from_at), "reference": reference, "text": "A scratch."}


def of_claim(method: str = "GET", end: str = "", **body: Any) -> Callable[[Tenants], Asked]:
    more = {"json": body} if body else {}
    return lambda t: (method, f"/claims/{t.claim}{end}", more)


def acknowledged(t: Tenants) -> Asked:
    return "POST", f"/covers/{t.cover.id}/acknowledge", {"json": {}}


def eligible(t: Tenants) -> Asked:
    driver = {
        "birth_date": "1980-01-01",
        "licence_classes": ["B"],
        "licence_issued_on": "2000-01-01",
        "licence_expires_on": "2090-01-01",
    }
    car = {"powertrain": "electric", "time_zone": "Europe/Paris"}
    span = {"from": z(t.cover.from_at), "to": z(t.cover.planned_to)}
    return "POST", "/eligibility", {"json": {"country": "FR", "driver": driver, "car": car, "span": span}}


ASKED: dict[str, Callable[[Tenants], Asked]] = {
    "read_coverage": by_plate("/coverage"),
    "look_up_plate": by_plate("/lookup"),
    "list_covers": plain("/covers"),
    "read_cover": of_cover(),
    "list_cover_events": of_cover("/events"),
    "prove_cover": of_cover("/proof"),
    "draw_cover": of_cover("/timeline.svg"),
    "read_use": of_cover("/use"),
    "acknowledge_cover": acknowledged,
    "list_changes": plain("/changes?limit=100"),
    "read_exposure": plain("/exposure"),
    "list_log_heads": plain("/log-heads"),
    "list_signed_heads": plain("/signed-heads"),
    "ask_eligibility": eligible,
    "list_webhooks": plain("/webhooks"),
    "add_webhook": lambda _: ("POST", "/webhooks", {"json": {"url": "https://b.example/changes"}}),
    "change_webhook": lambda t: ("PATCH", f"/webhooks/{t.webhook}", {"json": {"url": "https://b.example/"}}),
    "rotate_webhook": lambda t: ("POST", f"/webhooks/{t.webhook}/rotate", {}),
    "remove_webhook": lambda t: ("DELETE", f"/webhooks/{t.webhook}", {}),
    "list_bordereaux": plain("/bordereaux"),
    "read_bordereau": lambda t: (
        "GET",
        f"/bordereaux/{t.month}?kind=risk&policy_number={t.circle.policy.number}",
        {},
    ),
    "notify_claim": lambda t: ("POST", "/claims", {"json": notice(t.cover, "R-1")}),
    "list_claims": plain("/claims"),
    "read_claim": of_claim(),
    "change_claim": of_claim("PATCH", denied=True),
    "read_evidence": of_claim(end="/evidence"),
}


SHOWN = (
    *("read_cover", "prove_cover", "list_bordereaux", "read_bordereau", "read_coverage", "list_claims"),
    *("read_claim", "read_use", "draw_cover"),
)


def test_every_route_of_insurers_is_asked() -> None:
    partners = {name.partition(".")[2] for name, rule in RULES.items() if rule.who is Who.PARTNER}
    assert partners == set(ASKED)


def test_a_rival_learns_nothing_on_any_route(http: Any, tenants: Tenants) -> None:
    for name, of in ASKED.items():
        method, path, more = of(tenants)
        answer = http.open(f"/v1/insurer{path}", method=method, headers=tenants.rival, **more)
        assert answer.status_code in (200, 201, 404), (name, answer.text)
        found = [secret for secret in tenants.secrets if secret in answer.text.replace(path, "")]
        assert not found, f"{name} shows {found}"
        if answer.status_code == 200 and "covered" in answer.json:
            assert answer.json["covered"] == "unknown"


def test_the_insurer_itself_is_shown_it(http: Any, tenants: Tenants) -> None:
    own = bearer(http, factories.client(tenants.circle.policy.insurer_id, *partners.SCOPES))
    for name in SHOWN:
        method, path, more = ASKED[name](tenants)
        answer = http.open(f"/v1/insurer{path}", method=method, headers=own, **more)
        assert answer.status_code == 200, (name, answer.text)
        assert any(secret in answer.text for secret in tenants.secrets), name


def test_an_unknown_plate_and_a_rivals_car_are_answered_alike(http: Any, tenants: Tenants) -> None:
    def asked(plate: str) -> dict[str, Any]:
        query = {"plate": plate, "country": "FR", "at": z(tenants.cover.from_at)}
        found: dict[str, Any] = http.get("/v1/insurer/lookup", headers=tenants.rival, query_string=query).json
        return {**found, "plate": None}

    assert asked(tenants.circle.car.plate) == asked("ZZ-999-ZZ")


def test_a_car_that_was_never_insured_is_looked_up_like_a_plate_that_nobody_knows(
    http: Any, app: Flask
) -> None:
    circle = factories.circle()
    mine = bearer(http, factories.client(circle.policy.insurer_id, "coverage:lookup"))

    def asked(plate: str) -> dict[str, Any]:
        query = {"plate": plate, "country": "FR", "at": z(clock.now())}
        found: dict[str, Any] = http.get("/v1/insurer/lookup", headers=mine, query_string=query).json
        return {name: found[name] for name in found if name not in ("plate", "at", "as_of", "position")}

    assert asked(circle.car.plate) == asked("ZZ-999-ZZ")
    factories.ended(circle)
    seal()
    assert asked(circle.car.plate)["covered"] == "no"


def test_who_took_over_a_country_learns_nothing_of_a_cover_that_runs_off(http: Any, app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    seal()
    successor = factories.policy()
    headers = bearer(http, factories.client(successor.insurer_id, "coverage:read"))
    clock.forward(timedelta(minutes=1))
    query = {"plate": circle.car.plate, "country": "FR", "at": z(clock.now() - timedelta(seconds=10))}
    found = http.get("/v1/insurer/coverage", headers=headers, query_string=query).json
    assert found["covered"] == "unknown"
    assert (bound.id in str(found), "holder" in found) == (False, False)
