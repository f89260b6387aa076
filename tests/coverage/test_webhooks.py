"""Webhooks over a real socket, verified by the Standard Webhooks library: each change once, retried, never elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.wrappers import Request, Response

from app.coverage import cover, webhooks
from app.coverage.models import Cover
from app.coverage.trip import Trip
from app.coverage.webhook_models import WebhookDelivery
from app.facts import CoverActivated, CoverBound
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.deadlines import Deadline
from tests.coverage import factories
from tests.coverage.factories import bearer, bind, doing
from tests.kit.serving import serving


@dataclass
class Ear:
    """An insurer's endpoint: keeps what came, answers what it is told to."""

    answers: int = 204
    came: list[tuple[dict[str, str], str]] = field(default_factory=list)
    url: str = ""

    def take(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.came.append((dict(request.headers), request.get_data(as_text=True)))
        there = {"Location": "http://127.0.0.1:1/"} if self.answers == 302 else {}
        return Response(status=self.answers, headers=there)(environ, start_response)


@contextmanager
def listening() -> Iterator[Ear]:
    made = Ear()
    with serving(made.take) as address:
        made.url = f"{address}/changes"
        yield made


@pytest.fixture
def ear() -> Iterator[Ear]:
    with listening() as made:
        yield made


@pytest.fixture
def circle(app: Flask) -> factories.Circle:
    return factories.circle()


@pytest.fixture
def ines(http: Any, circle: factories.Circle) -> Any:
    headers = bearer(http, factories.client(circle.policy.insurer_id, "webhooks:write"))

    def ask(method: str, path: str = "", status: int = 200, **body: Any) -> Any:
        answer = http.open(f"/v1/insurer/webhooks{path}", method=method, headers=headers, json=body or None)
        assert answer.status_code == status, answer.text
        return answer.json

    return ask


def changed(one: Cover) -> None:
    """What the reactions of a worker do with the newest change, and the jobs they defer."""
    kinds = {1: CoverBound, 2: CoverActivated}
    fact = kinds[one.version](cover=one.id, rental=one.rental_id, version=one.version)
    doing(webhooks.tell, fact)
    deliver()


def activated(trip: Trip, bound: Cover) -> None:
    doing(cover.activate, trip.rental, bound.from_at + timedelta(seconds=1))
    changed(session.get_one(Cover, bound.id, populate_existing=True))


def deliver() -> int:
    session.rollback()
    waiting = session.execute(select(WebhookDelivery.webhook_id, WebhookDelivery.fact_seq)).all()
    session.rollback()
    for row in waiting:
        webhooks.deliver_webhook(row.webhook_id, row.fact_seq)
    return len(waiting)


def left(made: dict[str, Any]) -> int:
    """How many changes wait for the endpoint."""
    found = session.query(WebhookDelivery).filter_by(webhook_id=made["id"]).count()
    session.rollback()
    return found


def tries(made: dict[str, Any]) -> list[Deadline]:
    """The tries of the endpoint that are to come."""
    return session.query(Deadline).filter_by(kind="webhook").filter(Deadline.ref.startswith(made["id"])).all()


def test_a_change_is_posted_as_the_specification_says(circle: factories.Circle, ines: Any, ear: Ear) -> None:
    made = ines("POST", status=201, url=ear.url)
    bound = bind(circle.trip())
    changed(bound)
    [(headers, body)] = ear.came
    told = Webhook(made["secret"]).verify(body, headers)
    assert told["type"] == "cover.bound"
    assert told["data"] == {"cover": bound.id, "version": 1}
    assert headers["Webhook-Id"] == f"chg_{bound.id.split('_')[1]}_1"
    assert left(made) == 0
    [shown] = ines("GET")["items"]
    assert (shown["last_status"], shown["last_success_at"] is not None) == ("204", True)


def test_what_was_altered_on_the_way_does_not_verify(circle: factories.Circle, ines: Any, ear: Ear) -> None:
    made = ines("POST", status=201, url=ear.url)
    changed(bind(circle.trip()))
    [(headers, body)] = ear.came
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(body.replace("bound", "found"), headers)


def test_for_a_day_after_a_rotation_both_secrets_verify(
    circle: factories.Circle, ines: Any, ear: Ear
) -> None:
    made = ines("POST", status=201, url=ear.url)
    fresh = ines("POST", f"/{made['id']}/rotate")
    trip = circle.trip()
    bound = bind(trip)
    changed(bound)
    [(headers, body)] = ear.came
    for secret in (made["secret"], fresh["secret"]):
        assert Webhook(secret).verify(body, headers)["type"] == "cover.bound"
    clock.forward(timedelta(hours=25))
    activated(trip, bound)
    headers, body = ear.came[-1]
    assert Webhook(fresh["secret"]).verify(body, headers)["type"] == "cover.activated"
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(body, headers)


def test_of_the_events_one_wants_alone_are_sent(circle: factories.Circle, ines: Any, ear: Ear) -> None:
    ines("POST", status=201, url=ear.url, events=["cover.activated"])
    trip = circle.trip()
    bound = bind(trip)
    changed(bound)
    assert ear.came == []
    activated(trip, bound)
    assert len(ear.came) == 1


def test_a_rivals_change_is_not_sent(circle: factories.Circle, ines: Any, ear: Ear) -> None:
    ines("POST", status=201, url=ear.url)
    changed(bind(factories.circle().trip()))
    assert ear.came == []


@pytest.mark.parametrize("answers", [500, 404, 302])
def test_what_was_not_taken_is_tried_again_five_seconds_later(
    circle: factories.Circle, ines: Any, ear: Ear, answers: int
) -> None:
    made = ines("POST", status=201, url=ear.url)
    ear.answers = answers
    changed(bind(circle.trip()))
    assert left(made) == 1
    [again] = tries(made)
    assert again.due_at - clock.now() <= timedelta(seconds=5)
    ear.answers = 200
    deliver()
    assert left(made) == 0
    assert len({headers["Webhook-Id"] for headers, _ in ear.came}) == 1


def test_after_nine_more_tries_the_endpoint_is_disabled_until_it_is_enabled_again(
    circle: factories.Circle, ines: Any, ear: Ear
) -> None:
    made = ines("POST", status=201, url=ear.url)
    ear.answers = 503
    changed(bind(circle.trip()))
    for _ in range(9):
        assert ines("GET")["items"][0]["state"] == "enabled"
        deliver()
    assert ines("GET")["items"][0]["state"] == "disabled"
    assert (len(ear.came), left(made)) == (10, 0)
    assert ines("PATCH", f"/{made['id']}", state="enabled")["state"] == "enabled"


def test_an_endpoint_that_is_gone_is_disabled_at_once(circle: factories.Circle, ines: Any, ear: Ear) -> None:
    made = ines("POST", status=201, url=ear.url)
    ear.answers = 410
    changed(bind(circle.trip()))
    assert (ines("GET")["items"][0]["state"], left(made)) == ("disabled", 0)


def test_a_removed_endpoint_hears_nothing_more(circle: factories.Circle, ines: Any, ear: Ear) -> None:
    made = ines("POST", status=201, url=ear.url)
    ear.answers = 500
    changed(bind(circle.trip()))
    ines("DELETE", f"/{made['id']}", status=204)
    deliver()
    assert (len(ear.came), tries(made)) == (1, [])
    assert ines("GET")["items"] == []


def test_an_endpoint_that_its_insurer_disables_forgets_what_waits(
    circle: factories.Circle, ines: Any, ear: Ear
) -> None:
    made = ines("POST", status=201, url=ear.url)
    ear.answers = 500
    changed(bind(circle.trip()))
    ines("PATCH", f"/{made['id']}", state="disabled")
    assert (left(made), tries(made)) == (0, [])
    ines("PATCH", f"/{made['id']}", state="enabled")
    deliver()
    assert len(ear.came) == 1


def test_one_that_does_not_listen_costs_a_try_and_no_error(circle: factories.Circle, ines: Any) -> None:
    with listening() as gone:
        url = gone.url
    made = ines("POST", status=201, url=url)
    changed(bind(circle.trip()))
    assert (left(made), ines("GET")["items"][0]["last_status"]) == (1, "ConnectionError")


def test_the_reaction_that_runs_twice_sends_once(circle: factories.Circle, ines: Any, ear: Ear) -> None:
    ines("POST", status=201, url=ear.url)
    bound = bind(circle.trip())
    fact = CoverBound(cover=bound.id, rental=bound.rental_id, version=1)

    @transactional
    def twice() -> None:
        webhooks.tell(fact)
        webhooks.tell(fact)

    twice()
    deliver()
    assert len(ear.came) == 1


def test_what_is_wrong_with_an_address_is_said(ines: Any) -> None:
    answer = ines("POST", status=422, url="http://insurer.example/")
    assert answer["errors"][0] == {"pointer": "/url", "code": "invalid", "detail": "Is to be an https URL."}


def test_a_secret_is_shown_once(ines: Any) -> None:
    assert ines("POST", status=201, url="https://insurer.example/")["secret"].startswith("whsec_")
    assert "secret" not in ines("GET")["items"][0]


def test_ten_endpoints_are_enough(ines: Any) -> None:
    for _ in range(10):
        ines("POST", status=201, url="https://insurer.example/")
    assert ines("POST", status=409, url="https://insurer.example/")["type"] == "/problems/in-use"
