"""What an owner tells for the tax report: the tax number is sealed, shown by its end alone."""

from typing import Any

from app.billing.tax_models import CommunityTaxDetails, TaxDetails
from app.kit import clock
from app.kit.db import session, transactional
from app.kit.errors import Validation
from app.kit.keys import seal, unseal
from app.people.models import Person

SECRET = "tax-details"  # noqa: S105 - the name of a key, not a key
_SHOWN = 3


@transactional
def put(person: str, body: dict[str, Any]) -> None:
    """Replace all of it; a number sent as it is shown, masked, stays.

    Raises Validation: a tax number goes with its country, an IBAN with its check digits.
    """
    row = session.get(TaxDetails, person, with_for_update=True) or TaxDetails(person_id=person)
    put_numbers(row, body)
    row.birth_place = body["birth_place"]
    session.add(row)
    session.flush()


def put_numbers(row: TaxDetails | CommunityTaxDetails, body: dict[str, Any]) -> None:
    """What people and communities have alike: the numbers, sealed. Raises Validation."""
    tin, iban = body["tin"], _bare(body["iban"])
    same_tin, same_iban = (
        given is not None and given == masked(end)
        for given, end in ((tin, row.tin_end), (iban, row.iban_end))
    )
    _refuse(body, None if same_tin else tin, None if same_iban else iban)
    if not same_tin:
        row.tin_sealed, row.tin_end = _sealed(tin)
    if not same_iban:
        row.iban_sealed, row.iban_end = _sealed(iban)
    row.tin_country, row.vat_number = body["tin_country"], _bare(body["vat_number"])
    row.changed_at = clock.now()


def shown(person: str) -> dict[str, Any]:
    """As its person sees it: numbers masked, and what a report would still lack."""
    row = session.get(TaxDetails, person)
    return {
        "tin": masked(row.tin_end) if row else None,
        "tin_country": row.tin_country if row else None,
        "birth_place": row.birth_place if row else None,
        "vat_number": row.vat_number if row else None,
        "iban": masked(row.iban_end) if row else None,
        "changed_at": row.changed_at if row else None,
        "missing": missing(session.get_one(Person, person), row),
    }


def missing(person: Person, row: TaxDetails | None) -> list[str]:
    """What Annex V of Directive 2011/16/EU wants of a person who earns and we do not have.

    Where somebody has no tax number, their place of birth stands for it (section II, B 1).
    """
    has = {
        "address": person.address,
        "birth_date": person.birth_date,
        "tin": row is not None and (row.tin_sealed or row.birth_place),
    }
    return [name for name, value in has.items() if not value]


def opened(row: TaxDetails | CommunityTaxDetails) -> tuple[str | None, str | None]:
    """Tax number and IBAN in full, for the report alone."""
    tin, iban = (unseal(SECRET, one).decode() if one else None for one in (row.tin_sealed, row.iban_sealed))
    return tin, iban


def _sealed(text: str | None) -> tuple[bytes | None, str | None]:
    return (seal(SECRET, text.encode()), text[-_SHOWN:]) if text else (None, None)


def masked(end: str | None) -> str | None:
    """A sealed number as it is shown."""
    return "*" * 8 + end if end else None


def _bare(text: str | None) -> str | None:
    return text.replace(" ", "").upper() if text else None


def _refuse(body: dict[str, Any], tin: str | None, iban: str | None) -> None:
    errors = []
    if tin is not None and "*" in tin:
        errors.append(
            {"pointer": "/tin", "code": "invalid", "detail": "This is not the number as it is shown."}
        )
    if (body["tin"] is None) != (body["tin_country"] is None):
        detail = "A tax number and the country that gave it go together."
        errors.append({"pointer": "/tin_country", "code": "invalid", "detail": detail})
    if iban is not None and not _checks(iban):
        errors.append({"pointer": "/iban", "code": "invalid", "detail": "The check digits do not fit."})
    if errors:
        raise Validation(errors=errors)


def _checks(iban: str) -> bool:
    """ISO 13616: the first four characters to the end, letters as numbers, modulo 97."""
    if "*" in iban:
        return False
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1
