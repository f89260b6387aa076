"""All that is kept of a person, for that person: facts of the account, what they did, and who was told of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import text

from app.kit import clock
from app.kit.driver import read

SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "account": "select id as person_id, name, email, language, country, time_zone, birth_date, address, made_at,"
        " email_confirmed_at, suspended_at from people where id = :person",
        "sessions": "select made_at, seen_at, revoked_at, revoked_reason from sessions where person_id = :person",
        "phones": "select id as phone_id, platform, language, confirmed_at, revoked_at, made_at, seen_at from phones"
        " where person_id = :person",
        "licence": "select number_end, country, classes, birth_date, issued_on, expires_on, recorded_at, refused_at,"
        " refused_reason from licences where person_id = :person",
        "licence_checks": "select rental_id, looked_at as made_at from licence_checks where person_id = :person",
        "conditions": "select version, accepted_at as made_at from acceptances where person_id = :person",
        "memberships": "select community_id, role, fare, label, blocked, made_at, ended_at from memberships"
        " where person_id = :person",
        "cars": "select id as car_id, plate, vin, make, model, country, removed_at from cars where owner_id = :person",
        "rentals": "select id as rental_id, car_id, state, from_at, to_at, started_at, ended_at, odometer_start,"
        " odometer_end, final_price, made_at from rentals where driver_id = :person",
        "covers": "select id as cover_id, rental_id, state, from_at, to_at, driver_ref, left_territory from covers"
        " where driver_id = :person",
        "named_in_rentals": "select rental_id, named_at as made_at, taken_off_at from named_drivers"
        " where person_id = :person",
        "payments": "select id as payment_id, rental_id, purpose, state, currency, amount, captured, refunded, made_at"
        " from payments where person_id = :person",
        "cards": "select id as card_id, brand, last4, made_at, removed_at from cards where person_id = :person",
        "charge_requests": "select id as charge_request_id, rental_id, kind, currency, amount, text, answer, state,"
        " final_amount, made_at from charge_requests where driver_id = :person or made_by = :person",
        "messages": "select id as message_id, kind, made_at, read_at from messages where person_id = :person",
        "notes": "select rental_id, text, made_at from notes where by_id = :person",
        "damages": "select car_id, rental_id, part, text, unsafe, state, made_at from damages where by_id = :person",
        "reviews": "select rental_id, side, stars, text, made_at from reviews where by_id = :person",
        "waits": "select car_id, community_id, from_at, to_at, state, made_at from waits where person_id = :person",
        "calendar_imports": "select car_id, name, host, made_at from calendar_imports where by_id = :person",
        "calendar_feeds": "select car_id, made_at from calendar_feeds where person_id = :person",
        "lookups_of_my_cars": "select l.plate, l.at, l.covered, l.asked_at, i.name as insurer from coverage_lookups l"
        " join insurers i on i.id = l.insurer_id join cars c on c.no = l.car_no where c.owner_id = :person",
        "shown_to_insurers": "select f.data ->> 'cover' as cover, f.at, i.name as insurer from facts f"
        " join partner_clients k on 'cli_' || replace(k.id::text, '-', '') = f.data ->> 'client'"
        " join insurers i on i.id = k.insurer_id where f.kind = 'IdentityShown' and f.data ->> 'person' ="
        " 'per_' || replace(cast(:person as uuid)::text, '-', '')",
    }
)
"""Name of a section to what is in it; no secrets, no hashes."""
PREFIXES = MappingProxyType(
    {
        "person_id": "per",
        "phone_id": "pho",
        "community_id": "com",
        "car_id": "car",
        "rental_id": "ren",
        "cover_id": "cov",
        "payment_id": "pay",
        "card_id": "crd",
        "charge_request_id": "chr",
        "message_id": "msg",
    }
)
_STATEMENTS = {name: text(statement) for name, statement in SECTIONS.items()}


def export(person: str) -> dict[str, Any]:
    """Every section, as of now."""
    digits = person.split("_")[1]
    found = {name: _rows(statement, digits) for name, statement in _STATEMENTS.items()}
    return {"made_at": clock.now(), **found}


def _rows(statement: Any, person: str) -> list[dict[str, Any]]:
    return [_shown(row._asdict()) for row in read(statement, {"person": person})]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Ids as the API writes them: `rental_id` is `rental`."""
    return {
        name.removesuffix("_id"): f"{PREFIXES[name]}_{value.hex}" if isinstance(value, UUID) else value
        for name, value in row.items()
    }
