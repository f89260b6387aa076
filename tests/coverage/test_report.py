from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from app.communities import accept, invite
from app.coverage import (
    ahead,
    blocks,
    conditional,
    confirm,
    cover,
    doors,
    eligibility,
    log_head,
    name_driver,
    report,
)
from app.coverage.models import Cover
from app.coverage.trip import Trip
from app.doors import Doors
from app.facts import CoverBound, LogHeadSigned
from app.kit import clock
from app.kit.db import in_transaction, session
from app.kit.errors import NotFound, NotInsurable
from app.people import conditions
from app.people.models import Person
from insurance import verify_log
from insurance.partner import (
    Acknowledgement,
    CoverReport,
    InsurerMismatch,
    InsurerRefused,
    InsurerUnavailable,
)
from insurance.partners import Partners
from tests import factories as people
from tests.coverage import factories
from tests.coverage.factories import bind, doing


def accepted(one: CoverReport) -> Acknowledgement:
    return Acknowledgement(one.cover, one.version, "accepted", "INS-1", clock.real_now())


def pending(one: CoverReport) -> Acknowledgement:
    return Acknowledgement(one.cover, one.version, "pending", "INS-1", clock.real_now())


@dataclass
class Ines:
    """An insurer's door as a test wants it."""

    says: Callable[[CoverReport], Acknowledgement] = accepted
    told: list[CoverReport] = field(default_factory=list)
    later: Acknowledgement | None = None
    heads: dict[int, str] = field(default_factory=dict)

    def report(self, report: CoverReport) -> Acknowledgement:
        assert not in_transaction()
        self.told.append(report)
        return self.says(report)

    def read(self, cover: str, version: int) -> Acknowledgement | None:
        assert not in_transaction()
        assert (cover, version) == (self.told[-1].cover, self.told[-1].version)
        return self.later

    def keep_head(self, number: int, signed: str) -> None:
        assert not in_transaction()
        self.heads[number] = signed

    def fails(self, error: Exception) -> None:
        def raising(_: CoverReport) -> Acknowledgement:
            raise error

        self.says = raising


@pytest.fixture
def ines(app: Flask) -> Iterator[Ines]:
    door = Ines()
    house = app.extensions["glovebox"]
    before = house.doors
    house.doors = Doors(insurers=Partners({"FR": door}), payments=None, push=None, mail=None)
    yield door
    house.doors = before


def jobs(name: str, lock: str) -> list[dict[str, object]]:
    rows = session.execute(
        text(
            "select args, lock from procrastinate_jobs where task_name = :name and lock = :lock order by id"
        ),
        {"name": name, "lock": lock},
    )
    found = [row.args for row in rows]
    session.rollback()
    return found


def fresh(one: Cover) -> Cover:
    found = session.get(Cover, one.id, populate_existing=True)
    assert found is not None
    session.rollback()
    return found


def recorded(kind: str, cover_id: str) -> int:
    found: int = session.execute(
        text("select count(*) from facts where kind = :kind and data ->> 'cover' = :cover"),
        {"kind": kind, "cover": cover_id},
    ).scalar_one()
    session.rollback()
    return found


def test_a_change_defers_one_job_per_version_in_the_order_of_the_cover(app: Flask) -> None:
    bound = bind(factories.circle().trip())
    doing(report.tell, CoverBound(cover=bound.id, rental=bound.rental_id, version=1))
    assert jobs("report_cover", bound.id) == [{"cover": bound.id, "version": 1}]


def test_the_insurer_is_told_outside_any_transaction_and_acknowledges(app: Flask, ines: Ines) -> None:
    ended = factories.ended(factories.circle())
    for version in (1, 2, 3):
        report.report_cover(ended.id, version)
    assert [(one.version, one.state) for one in ines.told] == [(1, "bound"), (2, "active"), (3, "closed")]
    last = ines.told[-1]
    assert (last.liability.from_at, last.liability.to_at) == (ended.from_at, fresh(ended).to_at)
    assert (last.premium.amount if last.premium else None, last.covered_minutes) == (300, 90)
    assert (fresh(ended).acknowledged_version, fresh(ended).reference) == (3, "INS-1")
    assert recorded("CoverAcknowledged", ended.id) == 3


@pytest.mark.parametrize("named", [False, True])
def test_who_took_over_a_country_is_not_told_of_the_covers_that_run_off(
    app: Flask, ines: Ines, *, named: bool
) -> None:
    circle = factories.circle()
    ended, other = factories.ended(circle), Ines()
    if named:
        whose = {("FR", circle.policy.insurer_id): other}
        app.extensions["glovebox"].doors = Doors(Partners({"FR": ines}, whose), None, None, None)
    factories.policy()
    report.report_cover(ended.id, 3)
    assert (ines.told, len(other.told)) == ([], int(named))
    assert fresh(ended).acknowledged_version == (3 if named else None)


def test_a_job_that_runs_again_tells_nothing_twice(app: Flask, ines: Ines) -> None:
    bound = bind(factories.circle().trip())
    report.report_cover(bound.id, 1)
    report.report_cover(bound.id, 1)
    assert len(ines.told) == 1
    assert recorded("CoverAcknowledged", bound.id) == 1


def test_a_conditional_cover_is_told_with_what_it_holds_for_and_then_as_it_was_used(
    app: Flask, ines: Ines
) -> None:
    circle = factories.circle()
    trip = circle.trip(hours=2)
    until = trip.to_at + timedelta(minutes=30)
    doing(ahead.bind, trip, trip.from_at, until)
    promised = cover.of(trip.rental)
    assert promised is not None
    report.report_cover(promised.id, 1)
    doing(conditional.activate, trip.rental, trip.from_at + timedelta(minutes=5), trip.to_at, odometer_km=7)
    report.report_cover(promised.id, 2)
    assert [(one.state, one.liability.to_at) for one in ines.told] == [
        ("conditional", until),
        ("active", None),
    ]
    assert ines.told[1].liability.from_at == ines.told[0].liability.from_at + timedelta(minutes=5)


def test_a_version_that_was_overtaken_is_not_told_any_more(app: Flask, ines: Ines) -> None:
    ended = factories.ended(factories.circle())
    report.report_cover(ended.id, 3)
    report.report_cover(ended.id, 1)
    assert [one.version for one in ines.told] == [3]


def test_an_insurer_that_is_down_leaves_the_cover_as_it_is_for_the_next_try(app: Flask, ines: Ines) -> None:
    bound = bind(factories.circle().trip())
    ines.fails(InsurerUnavailable("maintenance", retry_after=7))
    with pytest.raises(InsurerUnavailable):
        report.report_cover(bound.id, 1)
    assert fresh(bound).acknowledged_version is None
    ines.says = accepted
    report.report_cover(bound.id, 1)
    assert fresh(bound).acknowledged_version == 1


def test_a_refusal_leaves_the_cover_and_blocks_the_driver(app: Flask, ines: Ines) -> None:
    circle = factories.circle()
    trip = circle.trip()
    bound = bind(trip)
    ines.fails(InsurerRefused("declined", code="sanctions"))
    report.report_cover(bound.id, 1)
    report.report_cover(bound.id, 1)
    assert (fresh(bound).state, fresh(bound).refused_reason) == ("bound", "sanctions")
    assert recorded("CoverRefused", bound.id) == 1
    doing(cover.close, trip.rental, clock.now(), evidence="box")
    assert cover.reasons_against(circle.trip()) == ["driver_blocked"]
    assert blocks.of(circle.max.id)


def neighbour(circle: factories.Circle) -> Person:
    """A member who may be named as a further driver."""
    nina = people.person("Nina Neighbour")
    asked = invite.invite(circle.olga.id, circle.community, {"email": nina.email})
    accept.accept(nina.id, invite.code_of(asked.id))
    people.licensed(nina, circle.olga, circle.community_row())
    conditions.accept(nina.id, ["insurance-2026-1"])
    return nina


def test_a_refused_further_driver_is_taken_off_and_blocked_and_who_booked_drives_on(
    app: Flask, ines: Ines
) -> None:
    circle = factories.circle()
    nina = neighbour(circle)
    trip = circle.trip()
    bound = bind(trip)
    report.report_cover(bound.id, 1)
    clock.forward(timedelta(minutes=1))
    doing(name_driver.name, trip, nina.id, by=circle.max.id, at=clock.now())
    ines.fails(InsurerRefused("declined", code="sanctions"))
    report.report_cover(bound.id, 2)
    assert len(ines.told[-1].named_drivers) == 1
    found = fresh(bound)
    assert (found.version, found.refused_reason) == (3, None)
    assert (blocks.of(circle.max.id), len(blocks.of(nina.id))) == ([], 1)
    ines.says = accepted
    report.report_cover(bound.id, 3)
    [once] = ines.told[-1].named_drivers
    assert once.insured.to_at is not None
    with pytest.raises(NotInsurable) as refused:
        doing(name_driver.name, trip, nina.id, by=circle.max.id, at=clock.now())
    assert refused.value.members["reasons"] == ["driver_blocked"]


def test_refused_from_the_start_who_was_named_is_taken_off_and_not_who_booked(app: Flask, ines: Ines) -> None:
    circle = factories.circle()
    nina, trip = neighbour(circle), circle.trip()
    doing(name_driver.name, trip, nina.id, by=circle.max.id, at=clock.now())
    bound = bind(trip)
    clock.forward(timedelta(minutes=1))
    ines.fails(InsurerRefused("declined", code="sanctions"))
    report.report_cover(bound.id, 1)
    assert (fresh(bound).version, fresh(bound).refused_reason) == (2, None)
    assert (blocks.of(circle.max.id), len(blocks.of(nina.id))) == ([], 1)


def test_refused_again_after_the_named_are_off_it_is_for_a_person_to_ask_for_whose_sake(
    app: Flask, ines: Ines
) -> None:
    circle = factories.circle()
    nina, trip = neighbour(circle), circle.trip()
    bound = bind(trip)
    report.report_cover(bound.id, 1)
    clock.forward(timedelta(minutes=1))
    doing(name_driver.name, trip, nina.id, by=circle.max.id, at=clock.now())
    clock.forward(timedelta(minutes=1))
    ines.fails(InsurerRefused("declined", code="sanctions"))
    report.report_cover(bound.id, 2)
    with pytest.raises(InsurerRefused):
        report.report_cover(bound.id, 3)
    assert (fresh(bound).refused_reason, blocks.of(circle.max.id)) == (None, [])


def test_a_version_refused_while_the_one_before_is_pending_is_refused_for_who_was_named_in_it(
    app: Flask, ines: Ines
) -> None:
    circle = factories.circle()
    nina, trip = neighbour(circle), circle.trip()
    bound = bind(trip)
    report.report_cover(bound.id, 1)
    clock.forward(timedelta(minutes=1))
    doing(name_driver.name, trip, nina.id, by=circle.max.id, at=clock.now())
    ines.says = pending
    report.report_cover(bound.id, 2)
    doing(cover.extend, trip.rental, trip.to_at + timedelta(hours=1))
    clock.forward(timedelta(minutes=1))
    ines.fails(InsurerRefused("declined", code="sanctions"))
    report.report_cover(bound.id, 3)
    assert (fresh(bound).refused_reason, blocks.of(circle.max.id)) == (None, [])
    assert len(blocks.of(nina.id)) == 1


def test_a_mismatch_is_for_a_person_to_look_at(app: Flask, ines: Ines) -> None:
    bound = bind(factories.circle().trip())
    ines.fails(InsurerMismatch("it holds something else", fields=("driver_ref",)))
    with pytest.raises(InsurerMismatch):
        report.report_cover(bound.id, 1)
    assert fresh(bound).acknowledged_version is None


def test_what_is_pending_is_read_again_later(app: Flask, ines: Ines) -> None:
    bound = bind(factories.circle().trip())
    ines.says = pending
    report.report_cover(bound.id, 1)
    assert fresh(bound).acknowledged_version is None
    assert jobs("report_cover", bound.id) == [{"cover": bound.id, "version": 1}]
    ines.later = accepted(ines.told[0])
    report.report_cover(bound.id, 1)
    assert len(ines.told) == 1
    assert fresh(bound).acknowledged_version == 1


def test_an_insurer_without_an_api_is_not_told_and_acknowledges_itself(app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    report.report_cover(bound.id, 1)
    assert fresh(bound).acknowledged_version is None
    report.take_note(circle.policy.insurer_id, bound.id, None)
    assert fresh(bound).acknowledged_version == 1
    with pytest.raises(NotFound):
        report.take_note(factories.insurer().id, bound.id, None)


def asked(circle: factories.Circle) -> tuple[Trip, str]:
    trip = circle.trip()
    doing(confirm.ask, trip)
    row = confirm.of(trip.rental)
    assert row is not None
    session.rollback()
    return trip, row.cover_id


def test_a_policy_that_confirms_first_binds_only_what_was_confirmed(app: Flask, ines: Ines) -> None:
    circle = factories.circle(mode="confirm_first")
    trip, cover_id = asked(circle)
    assert cover.reasons_against(trip) == [eligibility.NOT_CONFIRMED]
    assert cover.reasons_against(trip, ignore_clearance=True) == []
    with pytest.raises(NotInsurable):
        bind(trip, trip.from_at)
    [args] = jobs("confirm_cover", cover_id)
    confirm.confirm_cover(**args)
    [told] = ines.told
    assert (told.state, told.version) == ("conditional", 1)
    assert (told.planned.from_at, told.planned.to_at) != (trip.from_at, trip.to_at)
    bound = bind(trip, trip.from_at)
    assert (bound.id, bound.version) == (cover_id, 2)
    report.report_cover(bound.id, 2)
    assert [(one.cover, one.version) for one in ines.told] == [(cover_id, 1), (cover_id, 2)]


def test_a_longer_rental_is_confirmed_anew(app: Flask, ines: Ines) -> None:
    circle = factories.circle(mode="confirm_first", confirm_late_minutes=0)
    trip, _ = asked(circle)
    confirm.confirm_cover(trip.rental, 1)
    longer = circle.trip(rental=trip.rental, from_at=trip.from_at, to_at=trip.to_at + timedelta(days=3000))
    assert eligibility.NOT_CONFIRMED in cover.reasons_against(longer)
    doing(confirm.ask, longer)
    confirm.confirm_cover(trip.rental, 1)
    assert eligibility.NOT_CONFIRMED in cover.reasons_against(longer)
    confirm.confirm_cover(trip.rental, 2)
    assert eligibility.NOT_CONFIRMED not in cover.reasons_against(longer)


def test_what_an_insurer_will_not_confirm_is_not_bound(app: Flask, ines: Ines) -> None:
    circle = factories.circle(mode="confirm_first")
    trip, _ = asked(circle)
    ines.fails(InsurerRefused("declined", code="sanctions"))
    confirm.confirm_cover(trip.rental, 1)
    row = confirm.of(trip.rental)
    assert row is not None
    assert (row.state, row.reason) == ("refused", "sanctions")
    assert cover.reasons_against(trip) == ["driver_blocked", eligibility.NOT_CONFIRMED]


def test_a_longer_rental_that_is_refused_leaves_what_was_confirmed(app: Flask, ines: Ines) -> None:
    circle = factories.circle(mode="confirm_first", confirm_late_minutes=0)
    trip, _ = asked(circle)
    confirm.confirm_cover(trip.rental, 1)
    longer = circle.trip(rental=trip.rental, from_at=trip.from_at, to_at=trip.to_at + timedelta(days=3000))
    doing(confirm.ask, longer)
    assert cover.reasons_against(trip) == []
    ines.fails(InsurerRefused("too long", code="length"))
    confirm.confirm_cover(trip.rental, 2)
    assert cover.reasons_against(trip) == []
    assert eligibility.NOT_CONFIRMED in cover.reasons_against(longer)


def test_an_insurer_without_an_api_confirms_by_acknowledging(app: Flask) -> None:
    circle = factories.circle(mode="confirm_first")
    trip, cover_id = asked(circle)
    report.take_note(circle.policy.insurer_id, cover_id, None)
    assert bind(trip, trip.from_at).id == cover_id


def test_a_policy_that_delegates_asks_nobody_ahead(app: Flask) -> None:
    trip = factories.circle().trip()
    doing(confirm.ask, trip)
    assert confirm.of(trip.rental) is None


def test_each_signed_head_of_the_log_is_handed_to_the_insurer(app: Flask, ines: Ines) -> None:
    factories.ended(factories.circle())
    factories.seal()
    log_head.sign_log_head()
    fact = LogHeadSigned(**session.execute(_NEWEST).mappings().one())
    session.rollback()
    assert list(doors.each()) == ["FR"]
    log_head.tell_log_head(fact.number, "FR")
    assert verify_log.claims_of(ines.heads[fact.number])["root"] == fact.root


_NEWEST = text(
    "select (data ->> 'number')::int as number, (data ->> 'last')::bigint as last, data ->> 'chain' as chain,"
    " data ->> 'root' as root from facts where kind = 'LogHeadSigned' order by seq desc limit 1"
)
