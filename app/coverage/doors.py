"""Which insurer is told of covers in a country, from what the entry point gave."""

from typing import Any, cast

from flask import current_app

from insurance.partner import Insurer


def insurer(country: str) -> Insurer | None:
    """The insurer's door; None where it comes and reads our API."""
    given: Any = current_app.extensions["glovebox"].doors.insurers
    find = getattr(given, "in_country", None) or given.get
    return cast("Insurer | None", find(country))
