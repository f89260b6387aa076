"""The yearly data set of everybody who earned here, as Annex V of Directive 2011/16/EU (DAC7) wants it, section III B."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

from app.billing import community_tax, tax_details
from app.billing.owner_share import PAID_OUT
from app.billing.tax_models import CommunityTaxDetails, TaxDetails
from app.communities.models import Community
from app.kit import clock
from app.kit.db import session
from app.kit.locales import decimal_of
from app.kit.media import as_csv, harmless
from app.people.models import Person

COMMUNITY_ZONE = ZoneInfo("Europe/Paris").key
"""Where the quarters of a community begin; a person's begin in their own time zone, as their statements do."""
COLUMNS = (
    *("year", "owner", "kind", "name", "address", "country", "birth_date", "birth_place"),
    *("tin", "tin_country", "vat_number", "account", "missing", "currency", "quarter"),
    *("consideration", "activities", "fees", "taxes", "premiums", "compensation"),
    "registration_number",
)
_AMOUNTS = ("consideration", "fees", "taxes", "premiums", "compensation")
_QUARTERS = text("""
  with told as (
    select o.subject, o.currency, e.rental_id, e.kind, -o.amount as owner, f.fees, f.taxes, f.premiums,
      coalesce(pay.purpose in ('charge_request', 'deposit'), false) as compensates,
      e.at at time zone coalesce(p.time_zone, :zone) as local
    from ledger_entries e
    join postings o on o.entry_id = e.id and o.account = 'owner_payable'
    cross join lateral (select
        -coalesce(sum(l.amount) filter (where l.account = 'platform_revenue'), 0) as fees,
        -coalesce(sum(l.amount) filter (where l.account = 'vat_payable'), 0) as taxes,
        -coalesce(sum(l.amount) filter (where l.account in ('premium_reserve', 'insurer_payable')), 0) as premiums
      from postings l where l.entry_id = e.id and l.currency = o.currency) f
    left join payments pay on pay.id = e.payment_id
    left join people p on p.id = case when o.subject like 'per!_%' escape '!' then substr(o.subject, 5)::uuid end
    where e.kind <> all(:paid_out)
      and e.at >= make_date(:year, 1, 1) - interval '1 day' and e.at < make_date(:year + 1, 1, 1) + interval '1 day'
  )
  select subject, currency, extract(quarter from local)::int as quarter,
    coalesce(sum(owner) filter (where not compensates), 0)::bigint as consideration,
    count(distinct rental_id) filter (where not compensates and kind = 'capture') as activities,
    sum(fees)::bigint as fees, sum(taxes)::bigint as taxes, sum(premiums)::bigint as premiums,
    coalesce(sum(owner) filter (where compensates), 0)::bigint as compensation
  from told where extract(year from local) = :year
  group by 1, 2, 3 order by 1, 2, 3
""")
"""Everything credited to owners in the year, whether paid out or not; the two days around it are for the time zones."""


def of(year: int) -> dict[str, Any]:
    """Each owner with what is known of them, what is missing, and their quarters by currency."""
    rows = session.execute(
        _QUARTERS, {"year": year, "paid_out": list(PAID_OUT), "zone": COMMUNITY_ZONE}
    ).all()
    by_owner: dict[str, list[Any]] = {}
    for row in rows:
        by_owner.setdefault(row.subject, []).append(row)
    who = {**_people(list(by_owner)), **_communities(list(by_owner))}
    owners = [
        {"owner": owner, **who.get(owner, _NOBODY), "quarters": [_quarter(row) for row in quarters]}
        for owner, quarters in by_owner.items()
    ]
    return {"year": year, "made_at": clock.now(), "owners": owners}


def lacking(year: int) -> list[str]:
    """The people who earned in the year and have not told all that the report needs."""
    found = [one for one in of(year)["owners"] if one["kind"] == "person" and one["missing"]]
    return [str(one["owner"]) for one in found]


def csv(report: dict[str, Any]) -> str:
    """A line for each owner, currency and quarter; amounts with a decimal point."""
    lines = []
    for owner in report["owners"]:
        about = [harmless(str(owner[name])) if owner[name] is not None else None for name in COLUMNS[1:12]]
        for quarter in owner["quarters"]:
            currency = quarter["consideration"]["currency"]
            amounts = {name: str(decimal_of(quarter[name]["amount"], currency)) for name in _AMOUNTS}
            amounts["activities"] = quarter["activities"]
            lines.append(
                (
                    *(report["year"], *about, " ".join(owner["missing"]), currency, quarter["quarter"]),
                    *(amounts[name] for name in COLUMNS[15:21]),
                    harmless(owner["registration_number"]),
                )
            )
    return as_csv(COLUMNS, lines)


def _quarter(row: Any) -> dict[str, Any]:
    amounts = {name: {"amount": getattr(row, name), "currency": row.currency} for name in _AMOUNTS}
    return {"quarter": row.quarter, "activities": row.activities, **amounts}


_NOBODY: dict[str, Any] = {
    **dict.fromkeys((*COLUMNS[3:12], "registration_number")),
    "kind": "person",
    "missing": ["name", "address", "birth_date", "tin"],
}


def _people(owners: Sequence[str]) -> dict[str, dict[str, Any]]:
    ids = [one for one in owners if one.startswith("per_")]
    rows = session.execute(
        select(Person, TaxDetails)
        .outerjoin(TaxDetails, TaxDetails.person_id == Person.id)
        .where(Person.id.in_(ids))
    ).all()
    return {person.id: _person(person, details) for person, details in rows}


def _person(person: Person, details: TaxDetails | None) -> dict[str, Any]:
    return {
        **_numbers(details),
        "kind": "person",
        "name": person.name,
        "address": person.address,
        "country": person.country,
        "birth_date": person.birth_date,
        "birth_place": details.birth_place if details else None,
        "missing": tax_details.missing(person, details),
        "registration_number": None,
    }


def _communities(owners: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Of a community we know what its owners told of who stands behind it; else its name alone."""
    ids = [one for one in owners if one.startswith("com_")]
    rows = session.execute(
        select(Community, CommunityTaxDetails)
        .outerjoin(CommunityTaxDetails, CommunityTaxDetails.community_id == Community.id)
        .where(Community.id.in_(ids))
    ).all()
    return {one.id: _community(one, details) for one, details in rows}


def _community(one: Community, details: CommunityTaxDetails | None) -> dict[str, Any]:
    known = {**_NOBODY, "kind": "community", "name": one.name, "missing": community_tax.missing(details)}
    if details is None:
        return known
    return {
        **known,
        **_numbers(details),
        "name": details.legal_name or one.name,
        "address": details.address,
        "country": details.country,
        "registration_number": details.registration_number,
    }


def _numbers(details: TaxDetails | CommunityTaxDetails | None) -> dict[str, str | None]:
    """What people and communities tell alike, opened."""
    tin, iban = tax_details.opened(details) if details else (None, None)
    return {
        "tin": tin,
        "tin_country": details.tin_country if details else None,
        "vat_number": details.vat_number if details else None,
        "account": iban,
    }
