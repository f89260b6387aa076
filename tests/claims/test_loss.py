"""An insurer's claim over HTTP: on its own cover, at an instant of it, once per reference, version by version."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.claims import loss
from app.coverage import bordereau_covers, bordereaux, cover
from app.coverage.loss_models import ClaimVersion
from app.coverage.models import Cover
from app.facts import ClaimChanged, ClaimNotified
from app.kit import clock
from app.kit import facts as kit_facts
from app.kit.clock import z
from app.kit.db import session
from app.kit.facts import FactRow
from app.messages.models import Message
from insurance.verify_log import digest
from tests.coverage import factories
from tests.coverage.factories import bearer, bind, doing, seal
from tests.rentals.scene import Scene, make

Ask = Callable[..., Any]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def circle(app: Flask) -> factories.Circle:
    return factories.circle()


@pytest.fixture
def ended(circle: factories.Circle) -> Cover:
    return factories.ended(circle)


@pytest.fixture
def ask(app: Flask, circle: factories.Circle) -> Ask:
    return asks(app, circle.policy.insurer_id)


def asks(app: Flask, insurer: str) -> Ask:
    http = app.test_client()
    headers = bearer(http, factories.client(insurer, "claims:write"))

    def ask(method: str, path: str, code: int = 200, etag: str = "", **body: Any) -> Any:
        session.rollback()
        more: dict[str, Any] = {"json": body} if body else {}
        answer = http.open(
            f"/v1/insurer/claims{path}", method=method, headers={**headers, "If-Match": etag or "*"}, **more
        )
        assert answer.status_code == code, answer.text
        return answer

    return ask


def notice(of: Cover, after: timedelta = 10 * MINUTE, **changes: Any) -> dict[str, Any]:
    return {
        "cover": of.id,
        "occurred_at": z(of.from_at + after),
        "reference": f"S-{of.id[-6:]}",
        "text": "Rear-ended at a crossing.\nBumper broken.",
        **changes,
    }


def changed(ask: Ask, claim: str, code: int = 200, **body: Any) -> Any:
    tag = ask("GET", f"/{claim}").headers["ETag"]
    return ask("PATCH", f"/{claim}", code, etag=tag, **body)


def test_a_loss_is_notified_and_read_back(ended: Cover, ask: Ask) -> None:
    made = ask("POST", "", 201, **notice(ended))
    assert made.headers["Location"] == f"/v1/insurer/claims/{made.json['id']}"
    assert (made.json["status"], made.json["version"]) == ("open", 1)
    assert made.json["incurred"] == {"indemnity": 0, "fees": 0}
    assert ask("GET", f"/{made.json['id']}").json == made.json
    [listed] = ask("GET", "").json["items"]
    assert listed == made.json["history"][0]


def test_the_same_notice_again_is_the_same_claim(ended: Cover, ask: Ask) -> None:
    first = ask("POST", "", 201, **notice(ended)).json
    assert ask("POST", "", 200, **notice(ended)).json == first
    changed(ask, first["id"], status="coverage_agreed")
    assert ask("POST", "", 200, **notice(ended)).json["status"] == "coverage_agreed"
    assert len(ask("GET", "").json["items"]) == 1


@pytest.mark.parametrize("other", [{"text": "Something else."}, {"after": 11 * MINUTE}])
def test_another_notice_under_a_known_reference_is_refused(ended: Cover, ask: Ask, other: Any) -> None:
    ask("POST", "", 201, **notice(ended))
    answer = ask("POST", "", 409, **notice(ended, **other))
    assert answer.json["type"] == "/problems/already-exists"


def at_start(of: Cover) -> datetime:
    return of.from_at


def last_instant(of: Cover) -> datetime:
    assert of.to_at is not None
    return of.to_at - timedelta(milliseconds=1)


@pytest.mark.parametrize("when", [at_start, last_instant])
def test_every_instant_of_the_liability_counts(
    ended: Cover, ask: Ask, when: Callable[[Cover], datetime]
) -> None:
    assert ask("POST", "", 201, **notice(ended, occurred_at=z(when(ended)))).json["status"] == "open"


@pytest.mark.parametrize("off", ["before", "end", "future"])
def test_an_instant_outside_the_cover_says_when_it_held(ended: Cover, ask: Ask, off: str) -> None:
    assert ended.to_at is not None
    when = {
        "before": ended.from_at - timedelta(milliseconds=1),
        "end": ended.to_at,
        "future": clock.now() + timedelta(days=1),
    }[off]
    [error] = ask("POST", "", 422, **notice(ended, occurred_at=z(when))).json["errors"]
    assert error["pointer"] == "/occurred_at"
    assert error["code"] == ("future" if off == "future" else "outside_cover")
    assert off == "future" or (z(ended.from_at) in error["detail"] and z(ended.to_at) in error["detail"])


def test_while_the_car_is_out_a_loss_may_be_notified(circle: factories.Circle, ask: Ask) -> None:
    given = bind(circle.trip())
    doing(cover.activate, given.rental_id, given.from_at + timedelta(seconds=1))
    clock.forward(timedelta(minutes=20))
    assert ask("POST", "", 201, **notice(given)).json["cover"] == given.id


def test_a_cover_under_which_nobody_drove_has_no_loss(circle: factories.Circle, ask: Ask) -> None:
    given = bind(circle.trip())
    doing(cover.void, given.rental_id, clock.now(), "never opened")
    [error] = ask("POST", "", 422, **notice(given, after=timedelta())).json["errors"]
    assert "void" in error["detail"]


def test_a_rival_finds_neither_cover_nor_claim(app: Flask, ended: Cover, ask: Ask) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    rival = asks(app, factories.insurer("Rival").id)
    rival("POST", "", 404, **notice(ended))
    rival("GET", f"/{claim}", 404)
    rival("PATCH", f"/{claim}", 404, status="closed")
    assert rival("GET", "").json["items"] == []


def test_two_insurers_may_use_the_same_reference(app: Flask, ended: Cover, ask: Ask) -> None:
    ask("POST", "", 201, **notice(ended, reference="2026-1"))
    other = factories.circle()
    theirs = factories.ended(other)
    asks(app, other.policy.insurer_id)("POST", "", 201, **notice(theirs, reference="2026-1"))


def test_amounts_and_status_go_on_version_by_version(ended: Cover, ask: Ask) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    changed(ask, claim, status="amount_agreed", reserve={"indemnity": 120_000, "fees": 8_000})
    changed(ask, claim, paid={"indemnity": 100_000}, reserve={"indemnity": 20_000})
    done = changed(
        ask,
        claim,
        status="closed",
        paid={"indemnity": 115_000, "fees": 8_000},
        reserve={"indemnity": 0, "fees": 0},
    ).json
    assert done["incurred"] == {"indemnity": 115_000, "fees": 8_000}
    assert done["over_at"] == done["changed_at"]
    assert [one["incurred"]["indemnity"] for one in done["history"]] == [0, 120_000, 120_000, 115_000]
    assert [one["version"] for one in done["history"]] == [1, 2, 3, 4]
    again = changed(ask, claim, status="reopened").json
    assert (again["over_at"], again["version"]) == (None, 5)


def test_what_changes_nothing_is_no_version(ended: Cover, ask: Ask) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    assert changed(ask, claim, status="open", denied=False).json["version"] == 1


def test_a_closed_claim_is_reopened_before_it_goes_on(ended: Cover, ask: Ask) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    changed(ask, claim, status="closed")
    refused = changed(ask, claim, 409, status="amount_agreed")
    assert refused.json["type"] == "/problems/step-not-allowed"


def test_nothing_is_left_in_reserve_for_a_closed_claim(ended: Cover, ask: Ask) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    changed(ask, claim, reserve={"indemnity": 500})
    [error] = changed(ask, claim, 422, status="closed").json["errors"]
    assert error["pointer"] == "/reserve"


def test_a_change_made_on_an_older_state_is_refused(ended: Cover, ask: Ask) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    old = ask("GET", f"/{claim}").headers["ETag"]
    changed(ask, claim, denied=True)
    ask("PATCH", f"/{claim}", 412, etag=old, denied=False)


def test_the_log_binds_every_version_of_a_claim(ended: Cover, ask: Ask) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    changed(ask, claim, reserve={"indemnity": 500})
    rows = session.scalars(
        select(FactRow)
        .where(FactRow.data["claim"].astext == claim, FactRow.kind.like("Claim%"))
        .order_by(FactRow.seq)
    ).all()
    assert [row.kind for row in rows] == [ClaimNotified.kind, ClaimChanged.kind]
    assert [row.data["sha256"] for row in rows] == [digest(one) for one in loss.history(claim)]


def test_what_was_said_of_a_claim_cannot_be_changed(ended: Cover, ask: Ask) -> None:
    ask("POST", "", 201, **notice(ended))
    with pytest.raises(IntegrityError, match="claim_versions is append-only"):
        session.execute(text("update claim_versions set version = 7"))
    session.rollback()


# -- the people


@pytest.fixture
def scene(app: Flask) -> Scene:
    return make()


def told(scene: Scene, claim: str) -> list[list[str]]:
    """What owner and driver are told by the newest version of a claim."""
    newest = select(ClaimVersion.fact_seq).where(ClaimVersion.claim_id == claim)
    seq = session.scalars(newest.order_by(ClaimVersion.version.desc()).limit(1)).one()
    session.rollback()
    kit_facts.react(seq)
    rows = session.execute(select(Message.person_id, Message.kind).where(Message.fact_seq == seq)).all()
    return [[kind for person, kind in rows if person == who] for who in (scene.olga.id, scene.max.id)]


@pytest.mark.parametrize(
    ("before", "status", "kind"),
    [
        (None, "open", "claim_notified"),
        ("open", "closed", "claim_over"),
        ("closed", "reopened", "claim_reopened"),
        ("closed", "recovery_pursued", None),
        ("open", "amount_agreed", None),
    ],
)
def test_owner_and_driver_are_told_of_a_claim_its_end_and_its_reopening(
    scene: Scene, circle: factories.Circle, ask: Ask, before: str | None, status: str, kind: str | None
) -> None:
    covered = factories.ended(circle, rental=scene.rental_id)
    claim = ask("POST", "", 201, **notice(covered)).json["id"]
    for one in (before, status):
        if one not in (None, "open"):
            changed(ask, claim, status=one)
    sides = [[f"{kind}.owner"], [f"{kind}.driver"]] if kind else [[], []]
    assert told(scene, claim) == sides


def test_photos_of_a_rental_stay_while_a_claim_is_open(ended: Cover, ask: Ask) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    assert loss.is_open(ended.rental_id)
    changed(ask, claim, status="closed")
    session.expire_all()
    assert not loss.is_open(ended.rental_id)


# -- the month on paper


class Months:
    """Claims bordereaux of the insurer, month by month, as they are fetched."""

    def __init__(self, app: Flask, insurer: str) -> None:
        self.http = app.test_client()
        self.insurer = insurer

    def close(self) -> str:
        """Time goes on until the present month is made; which one it was."""
        seal()
        month = clock.now().isoformat()[:7]
        after = bordereau_covers.month_end(month) + timedelta(days=6)
        clock.forward(datetime.combine(after, datetime.min.time(), UTC) - clock.now())
        bordereaux.close(month, insurer=self.insurer)
        return month

    def rows(self, month: str, accept: str = "application/json") -> Any:
        session.rollback()
        headers = bearer(self.http, factories.client(self.insurer, "bordereau:read"))
        path = f"/v1/insurer/bordereaux/{month}?kind=claims"
        answer: Any = self.http.get(path, headers={**headers, "Accept": accept})
        assert answer.status_code == 200, answer.text
        return answer.json["rows"] if accept == "application/json" else answer.text


@pytest.fixture
def months(app: Flask, circle: factories.Circle) -> Months:
    return Months(app, circle.policy.insurer_id)


def test_a_claim_is_a_line_of_each_month_in_which_it_changed(ended: Cover, ask: Ask, months: Months) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    changed(ask, claim, paid={"indemnity": 10_000}, reserve={"indemnity": 40_000})
    [first] = months.rows(months.close())
    assert (first["claim_id"], first["claim_version"], first["cover_id"]) == (claim, 2, ended.id)
    assert first["Paid This Month - Indemnity"] == "100.00"
    changed(ask, claim, paid={"indemnity": 45_000}, reserve={"indemnity": 0}, status="closed")
    [second] = months.rows(months.close())
    assert (second["Paid This Month - Indemnity"], second["Previously Paid - Indemnity"]) == (
        "350.00",
        "100.00",
    )
    assert second["Claim Status"] == "Closed this month"
    assert months.rows(months.close()) == []


def test_what_was_said_after_the_months_end_is_in_the_next_one(
    ended: Cover, ask: Ask, months: Months
) -> None:
    claim = ask("POST", "", 201, **notice(ended)).json["id"]
    month = clock.now().isoformat()[:7]
    after = bordereau_covers.month_end(month) + timedelta(days=3)
    clock.forward(datetime.combine(after, datetime.min.time(), UTC) - clock.now())
    changed(ask, claim, reserve={"indemnity": 500})
    seal()
    bordereaux.close(month, insurer=months.insurer)
    [first] = months.rows(month)
    assert (first["claim_version"], first["Reserve - Indemnity"]) == (1, "0.00")
    [second] = months.rows(months.close())
    assert (second["claim_version"], second["Reserve - Indemnity"]) == (2, "5.00")


def test_a_text_of_several_lines_is_one_line_of_the_table(ended: Cover, ask: Ask, months: Months) -> None:
    ask("POST", "", 201, **notice(ended, text="=1+1\nand more"))
    [line] = csv.DictReader(io.StringIO(months.rows(months.close(), "text/csv"), newline=""))
    assert line["Loss Description"] == "'=1+1\nand more"
