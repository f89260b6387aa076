"""Which insurer is told of covers in a country, from what the entry point gave."""

from typing import Any, cast

from flask import current_app

from app.kit.fields import COUNTRIES
from insurance.partner import Insurer


def countries() -> list[str]:
    """One country of each insurer that has a door."""
    found: dict[int, str] = {}
    for code in sorted(COUNTRIES):
        door = insurer(code)
        if door is not None:
            found.setdefault(id(door), code)
    return list(found.values())


def insurer(country: str) -> Insurer | None:
    """The insurer's door; None where it comes and reads our API."""
    given: Any = current_app.extensions["glovebox"].doors.insurers
    find = getattr(given, "in_country", None) or given.get
    return cast("Insurer | None", find(country))
