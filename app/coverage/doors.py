"""Which insurer is told of covers in a country, from what the entry point gave."""

from typing import cast

from flask import current_app
from sqlalchemy import text

from app.coverage.models import INS
from app.doors import Doors
from app.kit import clock
from app.kit.db import public
from app.kit.driver import read
from insurance.partner import Insurer
from insurance.partners import Partners

_LAST = text(
    "select insurer_id from policies_in_force where country = :country and from_at <= :now and to_at > from_at"
    " order by from_at desc limit 1"
)


def _given() -> Partners:
    return cast("Doors", current_app.extensions["glovebox"].doors).insurers


def each() -> dict[str, Insurer]:
    """Every insurer that has a door, by a name of the door's."""
    return _given().each()


def insurer(country: str, of: str) -> Insurer | None:
    """The door of this insurer in a country; None where it comes and reads our API. Never inside a transaction.

    One that the settings do not name is that of whose policy came into force last: covers of an insurer before, which run
    off, are not the next one's to hear of.
    """
    given = _given()
    named = given.named.get((country, of))
    if named is not None:
        return named
    door = given.by_country.get(country)
    return door if door is not None and _is_last(country, of) else None


def _is_last(country: str, of: str) -> bool:
    rows = read(_LAST, {"country": country, "now": clock.now()})
    return bool(rows) and public(rows[0].insurer_id, INS) == of
