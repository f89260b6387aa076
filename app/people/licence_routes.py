"""HTTP of one's driving licence."""

from typing import Any

from app.kit import clock
from app.kit.auth import caller
from app.kit.errors import (
    NotFound,
)
from app.kit.http import Answer
from app.kit.routes import created
from app.people import licence, schemas
from app.people.routes import routes


def _licence(person: str) -> dict[str, Any]:
    held = licence.of(person)
    stands = licence.standing(person, None, clock.now())
    return {
        "number": "*" * 8 + held.number_end,
        "country": held.country,
        "classes": held.classes,
        "birth_date": held.birth_date,
        "issued_on": held.issued_on,
        "expires_on": held.expires_on,
        "state": stands.state,
        "recheck_on": stands.recheck_on,
    }


@routes.add(
    "POST",
    "/me/licence",
    summary="Record one's driving licence",
    body=schemas.Licence,
    returns=schemas.Licence,
    status=201,
)
def record_licence(body: dict[str, Any]) -> Answer:
    """Records a driving licence, to be cleared by an owner or an operator. A new one replaces the old."""
    licence.record(caller().person, body)
    return created(_licence(caller().person), "/me/licence")


@routes.add(
    "GET",
    "/me/licence",
    summary="One's driving licence",
    returns=schemas.Licence,
    etag=True,
    problems=(NotFound,),
)
def read_licence() -> dict[str, Any]:
    """The licence with its number masked, and whether it is cleared."""
    return _licence(caller().person)
