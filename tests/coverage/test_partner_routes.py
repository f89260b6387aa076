from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text

from app.coverage import cover, insurer_reads, partner_schemas, partners, report
from app.coverage.models import Cover, InsurerRow
from app.kit import clock
from app.kit.clock import z
from app.kit.db import db, new_id, session
from tests import factories as people
from tests.coverage import factories
from tests.coverage.factories import bearer, bind, doing, seal, signed_in

READ = (
    "coverage?plate=A&country=FR&at=2026-03-01T00:00:00Z",
    "covers",
    f"covers/cov_{'0' * 32}",
    f"covers/cov_{'0' * 32}/events",
    "changes",
    "exposure",
    "log-heads",
)


@pytest.fixture
def circle(app: Flask) -> factories.Circle:
    return factories.circle()


@pytest.fixture
def ines(http: Any, circle: factories.Circle) -> dict[str, str]:
    return bearer(http, factories.client(circle.policy.insurer_id, "coverage:read", "coverage:lookup"))


def get(http: Any, headers: dict[str, str], path: str, **query: Any) -> Any:
    answer = http.get(f"/v1/insurer/{path}", headers=headers, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def walk(http: Any, headers: dict[str, str], limit: int) -> list[dict[str, Any]]:
    """Every change, page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = get(http, headers, "changes", limit=limit, **cursor)
        found += page["items"]
        cursor = {"cursor": page["next_cursor"]}
        if not page["has_more"]:
            return found


def test_coverage_is_asked_over_http(http: Any, circle: factories.Circle, ines: dict[str, str]) -> None:
    ended = factories.ended(circle)
    seal()
    found = get(http, ines, "coverage", plate=circle.car.plate, country="FR", at=z(ended.from_at))
    assert found["covered"] == "yes"
    assert found["cover"]["id"] == ended.id
    assert found["cover"]["liability"] == {"from": z(ended.from_at), "to": z(ended.to_at)}  # type: ignore[arg-type]
    assert "acknowledged_at" not in found["cover"]
    assert found["position"] > 0
    assert found["as_of"].endswith("Z")
    assert "driver" not in found


def test_the_driver_is_named_only_to_clients_that_may_read_drivers(
    http: Any, circle: factories.Circle
) -> None:
    ended = factories.ended(circle)
    seal()
    made = factories.client(circle.policy.insurer_id, "coverage:read", "drivers:read")
    asked = {"plate": circle.car.plate, "country": "FR", "at": z(ended.from_at)}
    assert get(http, bearer(http, made), "coverage", **asked)["driver"]["name"] == "Max Member"
    assert "driver" not in get(http, bearer(http, made, scope="coverage:read"), "coverage", **asked)


def test_the_answer_is_written_as_its_schema_has_it(http: Any, circle: factories.Circle) -> None:
    ended = factories.ended(circle)
    seal()
    made = factories.client(circle.policy.insurer_id, "coverage:read", "drivers:read")
    for at in (z(ended.from_at), z(ended.from_at - timedelta(days=2))):
        asked = {"plate": circle.car.plate, "country": "FR", "at": at}
        found = get(http, bearer(http, made), "coverage", **asked)
        read = {name: found[name] for name in ("at", "as_of", "recorded_at") if name in found}
        again = {**found, **{name: datetime.fromisoformat(value) for name, value in read.items()}}
        if "driver" in found:
            again["driver"] = {
                **found["driver"],
                "birth_date": date.fromisoformat(found["driver"]["birth_date"]),
            }
        assert partner_schemas.Coverage().dump(again) == found


@pytest.mark.parametrize(
    "query",
    [
        "at=2026-03-01T00:00:00Z",
        "plate=A&at=2026-03-01T00:00:00Z",
        "plate=A&country=FR",
        "plate=A&country=FR&at=2026-03-01T00:00:00",
        "plate=A&vin=WME45339000000001&country=FR&at=2026-03-01T00:00:00Z",
        "plate=A&country=FR&at=2199-03-01T00:00:00Z",
        "plate=A&country=FR&at=2026-03-01T00:00:00Z&as_of=2199-03-01T00:00:00Z",
        "plate=A&country=FR&at=2026-03-01T00:00:00Z&colour=red",
    ],
)
def test_a_question_that_cannot_be_answered_is_422(http: Any, ines: dict[str, str], query: str) -> None:
    answer = http.get(f"/v1/insurer/coverage?{query}", headers=ines)
    assert (answer.status_code, answer.json["type"]) == (422, "/problems/validation")


def test_changes_are_complete_without_doubles_and_in_order(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    expected: list[tuple[str, int]] = []
    for _ in range(3):
        ended = factories.ended(circle)
        expected += [(ended.id, version) for version in (1, 2, 3)]
        seal()
    found = walk(http, ines, 2)
    assert [(one["cover"]["id"], one["version"]) for one in found] == expected
    positions = [one["position"] for one in found]
    assert positions == sorted(set(positions))
    assert [one["kind"] for one in found[:3]] == ["cover.bound", "cover.activated", "cover.closed"]


def test_a_cursor_goes_on_where_it_ended(http: Any, circle: factories.Circle, ines: dict[str, str]) -> None:
    factories.ended(circle)
    seal()
    page = get(http, ines, "changes")
    while page["has_more"]:
        page = get(http, ines, "changes", cursor=page["next_cursor"])
    assert get(http, ines, "changes", cursor=page["next_cursor"])["items"] == []
    later = bind(circle.trip())
    assert get(http, ines, "changes", cursor=page["next_cursor"])["items"] == []
    seal()
    [change] = get(http, ines, "changes", cursor=page["next_cursor"])["items"]
    assert (change["cover"]["id"], change["version"]) == (later.id, 1)


def test_covers_are_answered_as_their_schema_has_them(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    ended = factories.ended(circle)
    doing(report.take_note, circle.policy.insurer_id, ended.id, ended.version)
    seal()
    at = {"plate": circle.car.plate, "country": "FR", "at": z(ended.from_at)}
    found = [get(http, ines, "coverage", **at)["cover"], *get(http, ines, "covers")["items"]]
    found += [one["cover"] for one in get(http, ines, "changes")["items"]]
    assert {one["state"] for one in found} >= {"bound", "closed"}
    assert found[1]["acknowledged_at"] is not None
    for one in found:
        assert partner_schemas.CoverOut().dump(one) == one


def test_the_changes_replayed_are_the_covers(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    for _ in range(2):
        factories.ended(circle)
    bind(circle.trip())
    seal()
    replayed = {one["cover"]["id"]: one["cover"] for one in walk(http, ines, 100)}
    listed = get(http, ines, "covers")["items"]
    assert {one["id"]: one for one in listed} == {
        key: one | {"acknowledged_at": None} for key, one in replayed.items()
    }


def test_covers_are_listed_newest_first_by_state_and_acknowledgement(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    ended = [factories.ended(circle).id for _ in range(3)]
    out = bind(circle.trip()).id
    seal()
    first = get(http, ines, "covers", limit=2)
    second = get(http, ines, "covers", limit=2, cursor=first["next_cursor"])
    assert [one["id"] for one in first["items"] + second["items"]] == [out, *reversed(ended)]
    assert second["next_cursor"] is None
    assert [one["id"] for one in get(http, ines, "covers", state="bound")["items"]] == [out]
    taken = http.post(f"/v1/insurer/covers/{ended[0]}/acknowledge", headers=ines)
    assert taken.status_code == 204, taken.text
    waiting = get(http, ines, "covers", acknowledged="false")["items"]
    assert [one["id"] for one in waiting] == [out, ended[2], ended[1]]
    [done] = get(http, ines, "covers", acknowledged="true")["items"]
    assert done["acknowledged_at"] is not None


@pytest.mark.parametrize("wanted", [{"state": "bound"}, {"acknowledged": True}])
def test_few_of_many_covers_are_looked_for_page_by_page(
    circle: factories.Circle, wanted: dict[str, Any]
) -> None:
    first = factories.ended(circle)
    report.acknowledge(first.id)
    for _ in range(4):
        factories.ended(circle)
    out = bind(circle.trip()).id
    seal()
    asked: dict[str, Any] = {"state": None, "acknowledged": None, "as_of": None, **wanted}
    pages: list[list[str]] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        found = insurer_reads.covers(circle.policy.insurer_id, limit=10, cursor=cursor, through=2, **asked)
        pages.append([one["id"] for one in found["items"]])
        cursor = found["next_cursor"]
    assert pages[0 if "state" in wanted else 2] == [out if "state" in wanted else first.id]
    assert sum(map(len, pages)) == 1


def test_what_is_not_taken_note_of_is_found_by_its_index_among_any_number(circle: factories.Circle) -> None:
    values = {
        "insurer": circle.policy.insurer_id.removeprefix("ins_"),
        "before": UUID(int=2**128 - 1),
        "last": UUID(int=0),
        "position": 1_000_000,
        "state": None,
        "acknowledged": False,
        "most": 51,
        "through": 20_000,
    }
    with db.engine.connect() as connection:  # what it changes is rolled back
        connection.execute(text("set local enable_seqscan = off"))
        connection.execute(text("set local enable_bitmapscan = off"))
        connection.execute(text("set local enable_sort = off"))
        connection.execute(
            text("alter table covers drop constraint covers_pkey cascade")
        )  # as good among few
        for statement in insurer_reads.UNNOTED:
            plan = "\n".join(connection.execute(text(f"explain {statement}"), values).scalars().all())
            assert "covers_to_note_idx" in plan, plan


def test_a_later_version_has_to_be_acknowledged_anew(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    trip = circle.trip()
    bound = bind(trip)
    assert http.post(f"/v1/insurer/covers/{bound.id}/acknowledge?version=1", headers=ines).status_code == 204
    doing(cover.activate, trip.rental, bound.from_at)
    seal()
    assert get(http, ines, f"covers/{bound.id}")["acknowledged_at"] is None
    assert http.post(f"/v1/insurer/covers/{bound.id}/acknowledge?version=9", headers=ines).status_code == 404


def test_the_events_of_a_cover_end_in_its_state(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    ended = factories.ended(circle)
    seal()
    found = get(http, ines, f"covers/{ended.id}/events")["items"]
    one = get(http, ines, f"covers/{ended.id}")
    assert [event["version"] for event in found] == [1, 2, 3]
    assert found[-1]["cover"] == {
        name: value for name, value in one.items() if name not in ("as_of", "position", "acknowledged_at")
    }


def test_another_insurer_sees_nothing(http: Any, circle: factories.Circle, ines: dict[str, str]) -> None:
    ended = factories.ended(circle)
    seal()
    rival = bearer(http, factories.client(factories.insurer("Rival").id, "coverage:read"))
    assert get(http, ines, "covers")["items"]
    for path in (f"covers/{ended.id}", f"covers/{ended.id}/events"):
        assert http.get(f"/v1/insurer/{path}", headers=rival).status_code == 404
    assert http.post(f"/v1/insurer/covers/{ended.id}/acknowledge", headers=rival).status_code == 404
    for path in ("covers", "exposure"):
        assert get(http, rival, path)["items"] == []
    assert walk(http, rival, 100) == []


@pytest.mark.parametrize("path", READ)
def test_a_client_without_the_scope_is_refused(http: Any, app: Flask, path: str) -> None:
    only = bearer(http, factories.client(factories.insurer().id, "coverage:lookup"))
    answer = http.get(f"/v1/insurer/{path}", headers=only)
    assert (answer.status_code, answer.json["type"]) == (403, "/problems/scope-missing")
    assert answer.json["scope"] == "coverage:read"


@pytest.mark.parametrize("path", READ)
def test_a_person_is_nobody_to_the_insurers_routes(http: Any, app: Flask, path: str) -> None:
    headers = signed_in(people.person())
    assert http.get(f"/v1/insurer/{path}", headers=headers).status_code == 401
    assert http.get(f"/v1/insurer/{path}").status_code == 401


def test_an_insurer_is_nobody_to_peoples_routes(http: Any, ines: dict[str, str]) -> None:
    for path in ("/v1/me", "/v1/cars", f"/v1/covers/{new_id('cov')}/certificate"):
        assert http.get(path, headers=ines).status_code == 401


def test_a_removed_client_is_dead_at_once(http: Any, app: Flask) -> None:
    made = factories.client(factories.insurer().id, "coverage:read")
    headers = bearer(http, made)
    assert http.get("/v1/insurer/covers", headers=headers).status_code == 200
    partners.remove_client(made[0].id)
    assert http.get("/v1/insurer/covers", headers=headers).status_code == 401


def test_a_lookup_says_who_insures_and_is_shown_to_the_owner(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    ended = factories.ended(circle)
    seal()
    asked = {"plate": circle.car.plate, "country": "FR", "at": z(ended.from_at)}
    found = get(http, ines, "lookup", **asked)
    assert (found["covered"], found["policy_number"]) == ("yes", circle.policy.number)
    assert "driver_ref" not in found
    shown = http.get(f"/v1/cars/{circle.car.id}/lookups", headers=signed_in(circle.olga))
    assert [(one["covered"], one["at"]) for one in shown.json["items"]] == [("yes", z(ended.from_at))]
    assert http.get(f"/v1/cars/{circle.car.id}/lookups", headers=signed_in(circle.max)).status_code == 403
    only_read = bearer(http, factories.client(circle.policy.insurer_id, "coverage:read"))
    assert http.get("/v1/insurer/lookup", query_string=asked, headers=only_read).status_code == 403


def test_every_position_has_a_head_of_the_chain(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    factories.ended(circle)
    seal()
    first = get(http, ines, "log-heads", limit=3)
    second = get(http, ines, "log-heads", limit=3, cursor=first["next_cursor"])
    found = [one["position"] for one in first["items"] + second["items"]]
    assert found == [first["position"] - step for step in range(6)]
    assert all(len(one["chain"]) == 64 for one in first["items"])


def test_an_insurer_asks_beforehand_by_the_rules_of_the_bind(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    begin = clock.now()
    body = {
        "country": "FR",
        "driver": {
            "birth_date": "1990-04-02",
            "licence_classes": ["B"],
            "licence_issued_on": "2010-05-01",
            "licence_expires_on": "2090-05-01",
            "cleared_by": "owner",
            "accepted": ["insurance-2026-1"],
        },
        "car": {
            "powertrain": "electric",
            "time_zone": "Europe/Paris",
            "declared_value": {"amount": 1_500_000, "currency": "EUR"},
            "inspection_until": "2090-05-01",
        },
        "span": {"from": z(begin), "to": z(begin + timedelta(hours=3))},
    }
    good = http.post("/v1/insurer/eligibility", json=body, headers=ines)
    assert (good.status_code, good.json["eligible"], good.json["reasons"]) == (200, True, [])
    assert good.json["master_policy"]["number"] == circle.policy.number
    assert good.json["max_named_drivers"] == 2
    assert good.json["premium"] == {"amount": 450, "currency": "EUR"}
    body["driver"]["birth_date"] = (begin - timedelta(days=17 * 365)).date().isoformat()  # type: ignore[index]
    body["driver"]["licence_classes"] = ["AM"]  # type: ignore[index]
    bad = http.post("/v1/insurer/eligibility", json=body, headers=ines)
    assert bad.json["reasons"] == ["driver_too_young", "licence_class_missing"]
    rival = bearer(http, factories.client(factories.insurer("Rival").id))
    nothing = http.post("/v1/insurer/eligibility", json=body, headers=rival)
    assert nothing.json == {
        "eligible": False,
        "reasons": ["no_policy"],
        "max_named_drivers": 0,
        "master_policy": None,
        "premium": None,
    }


def test_an_insurer_asks_beforehand_what_a_cover_would_cost(http: Any, app: Flask) -> None:
    per_km = {"per": "km", "amount": 7, "untold_km_per_hour": 30}
    circle = factories.circle(premium=per_km)
    headers = bearer(http, factories.client(circle.policy.insurer_id))
    begin = clock.now() + timedelta(hours=1)
    body: dict[str, Any] = {
        "country": "FR",
        "driver": {
            "birth_date": None,
            "licence_classes": ["B"],
            "licence_issued_on": "2010-05-01",
            "licence_expires_on": "2090-05-01",
        },
        "car": {"powertrain": "electric", "time_zone": "Europe/Paris"},
        "span": {"from": z(begin), "to": z(begin + timedelta(hours=3))},
    }

    def cost(**more: Any) -> Any:
        return http.post("/v1/insurer/eligibility", json=body | more, headers=headers).json["premium"]

    assert cost(expected_km=40) == {"amount": 280, "currency": "EUR"}
    assert cost() is None, "nobody has said how far"
    factories.policy(insurer_of(circle), premium={"per": "hour", "amount": 150})
    assert cost() == {"amount": 450, "currency": "EUR"}


def insurer_of(circle: factories.Circle) -> InsurerRow:
    return session.get_one(InsurerRow, circle.policy.insurer_id)


def test_an_answer_has_no_place_and_no_name(
    http: Any, circle: factories.Circle, ines: dict[str, str]
) -> None:
    ended: Cover = factories.ended(circle)
    seal()
    asked = {"plate": circle.car.plate, "country": "FR", "at": z(ended.from_at)}
    whole = str([get(http, ines, "coverage", **asked), walk(http, ines, 100), get(http, ines, "exposure")])
    for secret in ("'lat'", "'lon'", circle.max.name, circle.max.id, ended.rental_id):
        assert secret not in whole
