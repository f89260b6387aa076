"""Max names others who may drive during his rental: who may be named, from when they are insured, and who reads of it."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.account import erase, export
from app.communities import accept, invite, leave
from app.coverage import cover, named_drivers
from app.coverage.models import CoverVersion
from app.coverage.trip import driver_ref
from app.facts import DriverNamed, DriverTakenOff, MemberRemoved, MembershipChanged
from app.kit import clock, sealed
from app.kit.clock import z
from app.kit.db import session
from app.kit.errors import InUse, NotInsurable
from app.people import conditions, licence
from app.people.models import Licence, Person
from app.rentals import extend, name_driver, quote
from insurance.certificate import verify
from tests import factories
from tests.coverage import factories as insured
from tests.coverage.factories import bearer, seal, signed_in
from tests.rentals.barring import bar
from tests.rentals.garage import Garage, build, end_with_signal, facts_of, insurer_says, start_with_signal
from tests.rentals.test_grant import react

MINUTE = timedelta(minutes=1)


def member(garage: Garage, name: str = "Nina Neighbour") -> Person:
    """A member who may be insured."""
    scene = garage.scene
    person = factories.person(name)
    invitation = invite.invite(scene.olga.id, scene.community.id, {"email": person.email})
    accept.accept(person.id, invite.code_of(invitation.id))
    factories.licensed(person, scene.olga, scene.community)
    conditions.accept(person.id, ["insurance-2026-1"])
    return person


@dataclass
class Shared:
    """A rental of Max's, its garage, and Nina, who may be named."""

    garage: Garage
    nina: Person

    @property
    def rental(self) -> str:
        return self.garage.scene.rental_id

    @property
    def max(self) -> Person:
        return self.garage.scene.max

    def ask(self, method: str, by: Person, whom: Person | None = None, status: int = 200) -> Any:
        session.rollback()
        path = f"/v1/rentals/{self.rental}/drivers" + (f"/{whom.id}" if whom else "")
        answer = self.garage.http.open(path, method=method, headers=signed_in(by))
        assert answer.status_code == status, answer.text
        session.rollback()
        session.expire_all()
        return answer.json

    def name(self, whom: Person | None = None, status: int = 200) -> Any:
        return self.ask("PUT", self.max, whom or self.nina, status)

    def versions(self) -> list[tuple[str, list[dict[str, Any]]]]:
        found = cover.of(self.rental)
        assert found is not None
        rows = session.scalars(
            select(CoverVersion).where(CoverVersion.cover_id == found.id).order_by(CoverVersion.version)
        )
        return [(row.kind, row.data["named_drivers"]) for row in rows]


@pytest.fixture
def shared(app: Flask) -> Shared:
    del app
    garage = build(4)
    return Shared(garage, member(garage))


def test_a_named_driver_is_shown_to_who_booked_the_owner_and_themself(shared: Shared) -> None:
    answer = shared.name()
    assert [one["driver"] for one in answer["items"]] == [{"id": shared.nina.id, "first_name": "Nina"}]
    for reader in (shared.max, shared.garage.scene.olga, shared.nina):
        assert shared.ask("GET", reader)["items"] == answer["items"]
    shared.ask("GET", factories.person("Charlie Stranger"), status=404)
    owners = signed_in(shared.garage.scene.olga)
    rental = shared.garage.http.get(f"/v1/rentals/{shared.rental}", headers=owners).json
    assert rental["named_drivers"] == [{"id": shared.nina.id, "first_name": "Nina"}]
    assert rental["driver"]["id"] == shared.max.id


def test_naming_the_same_again_changes_nothing(shared: Shared) -> None:
    assert shared.name() == shared.name()
    assert len(facts_of(DriverNamed, shared.rental)) == 1


BROKEN: list[tuple[dict[str, Any], list[str]]] = [
    ({"birth_date": date(2089, 1, 1)}, ["driver_too_young"]),
    ({"issued_on": date(2089, 1, 1)}, ["licence_too_recent"]),
    ({"classes": ["A"]}, ["licence_class_missing"]),
    ({"expires_on": date(2026, 1, 1)}, ["licence_not_cleared", "licence_expires"]),
]


def test_a_named_driver_meets_every_rule_that_who_booked_meets(shared: Shared) -> None:
    for changes, reasons in BROKEN:
        good = _change(shared.nina, changes)
        answer = shared.name(status=409)
        assert (answer["type"], answer["reasons"]) == ("/problems/not-insurable", reasons)
        _change(shared.nina, good)
    assert shared.ask("GET", shared.max)["items"] == []
    assert facts_of(DriverNamed, shared.rental) == []
    shared.name()


def _change(person: Person, values: dict[str, Any]) -> dict[str, Any]:
    """What the licence says is changed; what it said before."""
    held = session.get_one(Licence, person.id)
    before = {field: getattr(held, field) for field in values}
    for field, value in values.items():
        setattr(held, field, value)
    session.commit()
    return before


def test_a_licence_that_nobody_has_looked_at_and_conditions_not_accepted_are_named(shared: Shared) -> None:
    scene, fresh = shared.garage.scene, factories.person("Fred Fresh")
    invitation = invite.invite(scene.olga.id, scene.community.id, {"email": fresh.email})
    accept.accept(fresh.id, invite.code_of(invitation.id))
    answer = shared.name(fresh, 409)
    assert answer["reasons"] == ["licence_not_cleared", "conditions_not_accepted"]
    assert answer["driver"] == fresh.id


def test_who_may_not_be_named(shared: Shared) -> None:
    scene = shared.garage.scene
    shared.name(factories.person("Charlie Stranger"), 404)
    assert shared.name(scene.max, 409)["type"] == "/problems/already-exists"
    assert shared.name(scene.olga, 409)["type"] == "/problems/own-car"
    shared.ask("PUT", scene.olga, shared.nina, 403)
    shared.ask("PUT", shared.nina, shared.nina, 404)


def test_no_more_are_named_than_the_policy_says(shared: Shared) -> None:
    shared.name()
    shared.name(member(shared.garage, "Otto Other"))
    answer = shared.name(member(shared.garage, "Tina Third"), 409)
    assert (answer["reasons"], answer["limit"]) == (["too_many_drivers"], 2)


def test_named_before_the_start_they_are_insured_from_the_unlock(shared: Shared) -> None:
    shared.name()
    start_with_signal(shared.garage)
    bound = cover.of(shared.rental)
    assert bound is not None
    reference = driver_ref(bound.insurer_id, shared.nina.id)
    named = [{"driver_ref": reference, "from": z(bound.from_at), "to": None}]
    assert shared.versions() == [("cover.bound", named), ("cover.activated", named)]


def test_named_on_the_way_they_are_insured_from_that_instant_until_they_are_taken_off(shared: Shared) -> None:
    start_with_signal(shared.garage)
    clock.forward(10 * MINUTE)
    shared.name()
    clock.forward(20 * MINUTE)
    shared.ask("DELETE", shared.max, shared.nina, 204)
    clock.forward(10 * MINUTE)
    end_with_signal(shared.garage)
    found = shared.versions()
    assert [kind for kind, _ in found] == [
        *("cover.bound", "cover.activated", "cover.endorsed", "cover.endorsed", "cover.closed")
    ]
    [opened], [ended] = found[2][1], found[3][1]
    assert (opened["driver_ref"], opened["to"]) == (ended["driver_ref"], None)
    assert found[4][1] == [ended]
    bound = cover.of(shared.rental)
    assert bound is not None
    assert z(bound.from_at + 10 * MINUTE) <= ended["from"] < ended["to"] <= z(bound.from_at + 31 * MINUTE)


def test_whoever_is_still_named_at_the_lock_was_insured_until_then(shared: Shared) -> None:
    start_with_signal(shared.garage)
    shared.name()
    clock.forward(20 * MINUTE)
    end_with_signal(shared.garage)
    closed = cover.of(shared.rental)
    assert closed is not None
    assert closed.to_at is not None
    assert shared.versions()[-1][1][0]["to"] == z(closed.to_at)
    assert shared.name(member(shared.garage, "Otto Other"), 409)["type"] == "/problems/step-not-allowed"
    shared.ask("DELETE", shared.max, shared.nina, 409)


def test_the_named_driver_may_go_and_the_owner_may_not_send_them(shared: Shared) -> None:
    shared.name()
    shared.ask("DELETE", shared.garage.scene.olga, shared.nina, 403)
    shared.ask("DELETE", factories.person("Charlie Stranger"), shared.nina, 404)
    shared.ask("DELETE", shared.nina, shared.nina, 204)
    shared.ask("DELETE", shared.nina, shared.nina, 404)
    assert shared.ask("GET", shared.max)["items"] == []
    shared.ask("GET", shared.nina, status=404)
    shared.name()
    assert len(shared.ask("GET", shared.nina)["items"]) == 1


def test_an_insurer_reads_them_as_known_then_and_their_names_only_where_it_may(shared: Shared) -> None:
    start_with_signal(shared.garage)
    seal()
    before = sealed.head().as_of
    clock.forward(10 * MINUTE)
    shared.name()
    clock.forward(MINUTE)
    seal()
    bound = cover.of(shared.rental)
    assert bound is not None
    asked = {"plate": shared.garage.scene.car.plate, "country": "FR", "at": z(clock.now())}
    plain = bearer(shared.garage.http, insured.client(bound.insurer_id))
    reference = driver_ref(bound.insurer_id, shared.nina.id)
    now = insurer_says(shared.garage, "coverage", plain, **asked)
    assert now["named_drivers"] == [{"driver_ref": reference}]
    assert now["cover"]["named_drivers"][0]["driver_ref"] == reference
    assert insurer_says(shared.garage, "coverage", plain, **asked | {"at": z(before)})["named_drivers"] == []
    then = insurer_says(shared.garage, "coverage", plain, **asked | {"at": z(before), "as_of": z(before)})
    assert (then["named_drivers"], then["cover"]["named_drivers"]) == ([], [])
    client = insured.client(bound.insurer_id, "coverage:read", "drivers:read")
    named = insurer_says(shared.garage, "coverage", bearer(shared.garage.http, client), **asked)
    assert named["named_drivers"][0]["driver"]["name"] == shared.nina.name
    shown = export.export(shared.nina.id)
    assert [one["cover"] for one in shown["shown_to_insurers"]] == [bound.id]
    assert [one["rental"] for one in shown["named_in_rentals"]] == [shared.rental]


def test_the_named_driver_has_the_certificate_which_names_them_by_pseudonym(shared: Shared) -> None:
    start_with_signal(shared.garage)
    shared.name()
    bound = cover.of(shared.rental)
    assert bound is not None
    path, mine = f"/v1/covers/{bound.id}/certificate", signed_in(shared.nina)
    session.rollback()
    token = shared.garage.http.get(path, headers=mine).json["certificate"]
    facts = verify(shared.garage.http.get("/.well-known/jwks.json").json, token)
    assert facts.named_drivers == (driver_ref(bound.insurer_id, shared.nina.id),)
    paper = shared.garage.http.get(path, headers={**mine, "Accept": "application/pdf"})
    assert paper.data.startswith(b"%PDF")
    shared.ask("DELETE", shared.nina, shared.nina, 204)
    assert shared.garage.http.get(path, headers=mine).status_code == 404


def test_who_may_not_be_insured_any_more_at_the_unlock_is_taken_off_and_keeps_nobody_out(
    shared: Shared,
) -> None:
    shared.name()
    licence.refuse(shared.nina.id, by="test", reason="not theirs")
    start_with_signal(shared.garage)
    assert [named for _, named in shared.versions()] == [[], []]
    [taken] = facts_of(DriverTakenOff, shared.rental)
    assert (taken["by"], taken["person"]) == ("system", shared.nina.id)
    assert "licence_not_cleared" in taken["reasons"]


def test_a_longer_rental_must_suit_everybody_named(shared: Shared) -> None:
    session.get_one(Licence, shared.nina.id).expires_on = (clock.now() + timedelta(days=1)).date()
    session.commit()
    shared.name()
    scene = shared.garage.scene
    longer = quote.quote(
        scene.max.id, {"rental": shared.rental, "to": scene.rental.to_at + timedelta(days=5)}
    )
    with pytest.raises(NotInsurable) as refused:
        extend.extend(scene.max.id, shared.rental, longer.id)
    assert refused.value.members == {"driver": shared.nina.id, "reasons": ["licence_expires"]}
    session.rollback()


def test_who_leaves_the_community_drives_in_no_rental_that_has_not_begun(shared: Shared) -> None:
    shared.name()
    community = shared.garage.scene.community.id
    leave.leave(shared.nina.id, community, shared.nina.id)
    name_driver.take_off_former_member(MemberRemoved(community, shared.nina.id, shared.nina.id))
    session.expire_all()
    assert named_drivers.of(shared.rental) == []


def test_who_was_named_since_they_came_back_stays(shared: Shared) -> None:
    """The worker comes to the end of the old membership only now."""
    shared.name()
    name_driver.take_off_former_member(
        MemberRemoved(shared.garage.scene.community.id, shared.nina.id, shared.nina.id)
    )
    session.expire_all()
    assert [one.person_id for one in named_drivers.of(shared.rental)] == [shared.nina.id]


@pytest.mark.parametrize("how", ["blocked", "suspended"])
def test_who_may_not_book_any_more_drives_in_no_rental_that_has_not_begun(shared: Shared, how: str) -> None:
    shared.name()
    olga, nina, community = shared.garage.scene.olga.id, shared.nina.id, shared.garage.scene.community.id
    react(MembershipChanged(community, nina, by=olga, fare="free"))
    assert [one.person_id for one in named_drivers.of(shared.rental)] == [nina]
    react(bar(nina, how, community=community, by=olga))
    session.expire_all()
    assert named_drivers.of(shared.rental) == []
    [taken] = facts_of(DriverTakenOff, shared.rental)
    assert (taken["by"], taken["reasons"]) == ("system", "not_a_member")


def test_an_account_is_not_erased_while_its_person_may_be_at_the_wheel(shared: Shared) -> None:
    shared.name()
    start_with_signal(shared.garage)
    with pytest.raises(InUse) as refused:
        erase.erase(shared.nina.id)
    assert refused.value.members["by"] == [f"rental {shared.rental}"]
    session.rollback()
    clock.forward(20 * MINUTE)
    end_with_signal(shared.garage)
    erase.erase(shared.nina.id)
    kept = session.get_one(Person, shared.nina.id).kept_until
    assert kept is not None
    assert kept > clock.now() + timedelta(days=364)
    assert len(named_drivers.of(shared.rental)) == 1


def test_an_offline_cover_given_ahead_names_them_too(shared: Shared) -> None:
    shared.garage.fetched()
    shared.name()
    kinds = [kind for kind, _ in shared.versions()]
    assert kinds == ["cover.bound", "cover.endorsed"]
    [ahead] = shared.versions()[-1][1]
    assert ahead["to"] is not None
