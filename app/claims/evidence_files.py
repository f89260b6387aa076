"""What our records say of one cover, file by file, for the insurer whose claim is about it: no names, no place."""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.billing.models import Payment
from app.cars import box as boxes
from app.cars import custody
from app.cars.models import Car, Custody
from app.claims import evidence_drivers as drivers
from app.coverage import master_policies
from app.coverage.models import Cover, CoverVersion
from app.kit import clock
from app.kit.db import session
from app.kit.facts import FactRow
from app.messages.models import Delivery, Message
from app.messages.timeline import SHOWN
from app.people import conditions, identity
from app.people.models import Acceptance
from app.rentals import photos as pictures
from app.rentals.models import Command, OfflineReceipt, Quote, Rental
from app.rentals.photo_models import Photo
from insurance.eligibility import RULES, full_years

ABOUT = (
    *("extension_", "rental_late", "still_has_car", "rental_ended", "rental_closed_by_hand", "cover_"),
    *("driver_named", "driver_taken_off", "left_territory"),
)
"""The messages that bear on how long, for whom and where the cover held."""
TO_NAMED = ("driver_named", "driver_taken_off")


def versions(cover: Cover) -> dict[str, Any]:
    """Every version of the cover as the insurer was told it, oldest first."""
    rows = session.execute(
        select(CoverVersion, FactRow.position)
        .join(FactRow, FactRow.seq == CoverVersion.fact_seq)
        .where(CoverVersion.cover_id == cover.id)
        .order_by(CoverVersion.version)
    )
    items = [
        {"kind": row.kind, "recorded_at": row.recorded_at, "position": position, "cover": row.data}
        for row, position in rows
    ]
    return {
        "cover": cover.id,
        "acknowledged_version": cover.acknowledged_version,
        "acknowledged_at": cover.acknowledged_at,
        "versions": items,
    }


def booking(rental: Rental) -> dict[str, Any]:
    """When it was booked, accepted, begun and ended, who held the car under it, and when we came to know what of that."""
    held = select(Custody).where(Custody.car_no == rental.car_no, Custody.rental_id == rental.id)
    return {
        "rental": rental.id,
        "state": rental.state,
        "booked_at": rental.made_at,
        "approved_by": "owner" if rental.approved_by else None,
        "planned": {"from": rental.from_at, "to": rental.to_at},
        "started_at": rental.started_at,
        "ended_at": rental.ended_at,
        "ended_by": rental.ended_by,
        "end_evidence": rental.end_evidence,
        "meter_stopped_at": rental.meter_stopped_at,
        "keys_in_glove_box_stated": rental.keys_stated,
        "plugged_stated": rental.plugged_stated,
        "custody": [
            {"holder": row.holder, "from": row.from_at, "to": row.to_at}
            for row in session.scalars(held.order_by(Custody.from_at, Custody.id))
        ],
        "custody_as_recorded": [
            {
                "holder": entry.holder,
                "from": entry.from_at,
                "to": entry.to_at,
                "recorded_at": entry.recorded_at,
                "position": position,
            }
            for entry, position in custody.recorded(rental.car_no, rental.id)
        ],
        "conditions": _accepted(rental),
    }


def _accepted(rental: Rental) -> list[dict[str, Any]]:
    """The conditions that were part of the quote, by the hash of their English text."""
    mine = select(Acceptance).where(Acceptance.person_id == rental.driver_id)
    when = {row.version: row.accepted_at for row in session.scalars(mine)}
    return [
        {
            "version": one,
            "accepted_at": when.get(one),
            "text_sha256": hashlib.sha256(conditions.text(one, "en").encode()).hexdigest(),
        }
        for one in session.get_one(Quote, rental.quote_id).conditions
    ]


def judged(cover: Cover, car: Car) -> dict[str, Any]:
    """What the rules look at, their version and the policy's; nothing spoke against the trip, or no cover was bound.

    Of the car, plate, vehicle number and value are those of the bind; the rest is read at `read_at`.
    """
    terms = master_policies.of_cover(cover)
    by_then = drivers.accepted_by(cover.driver_id, cover.from_at)
    box = boxes.live(car.id)
    return {
        "rules": RULES,
        "master_policy": {"id": cover.policy_id, "number": terms.number, "version": terms.version},
        "terms": master_policies.find(cover.policy_id).data,
        "at": cover.from_at,
        "driver": {
            "age": _age(cover, car),
            "licence": "licence.json",
            "conditions": sorted(session.scalars(by_then)),
        },
        "car": {
            **cover.car,
            "powertrain": car.powertrain,
            "time_zone": car.time_zone,
            "declared_value": cover.declared_value,
            "has_immobiliser": box.has_immobiliser if box is not None else None,
            "inspection_until": car.inspection_until,
            "read_at": clock.now(),
        },
    }


def _age(cover: Cover, car: Car) -> int | None:
    """As the rules count it, when the cover began."""
    driver = identity.of(cover.driver_id)
    born = driver.birth_date if driver is not None else None
    day = cover.from_at.astimezone(ZoneInfo(car.time_zone)).date()
    return None if born is None else full_years(born, day)


def commands(rental: Rental) -> dict[str, Any]:
    """Every word to the box and its answer, by our clock; what a box did without us, by its own clock and ours."""
    rows = session.scalars(select(Command).where(Command.rental_id == rental.id).order_by(Command.id))
    alone = select(OfflineReceipt).where(OfflineReceipt.rental_id == rental.id)
    return {
        "online": [_command(row, rental) for row in rows],
        "offline": [
            {
                "sequence": row.sequence,
                "operation": row.operation,
                "box_time": row.box_time,
                "counts_at": row.at,
                "received_at": row.received_at,
                "locked": row.locked,
                "odometer_km": row.odometer_km,
                "signed_by_box": base64.b64encode(row.data).decode(),
            }
            for row in session.scalars(alone.order_by(OfflineReceipt.box_id, OfflineReceipt.sequence))
        ],
    }


def _command(row: Command, rental: Rental) -> dict[str, Any]:
    return {
        "id": row.id,
        "purpose": row.purpose,
        "kind": row.kind,
        "asked_by": "driver" if row.asked_by == rental.driver_id else "owner",
        "asked_at": row.made_at,
        "sent_at": row.sent_at,
        "answered_at": row.answered_at,
        "settled_at": row.settled_at,
        "box_time": None,
        "sent": row.sent_text,
        "answer": row.answer_text,
        "result": row.state,
        "evidence": row.evidence,
        "reason": row.reason,
        "conditions": row.conditions,
    }


def happened(rental: Rental) -> list[dict[str, Any]]:
    """The rental's facts as both sides read them, each with its place in the log."""
    rows = select(FactRow).where(FactRow.data["rental"].astext == rental.id, FactRow.kind.in_(SHOWN))
    return [
        {"at": row.at, "kind": row.kind, "seq": row.seq, "position": row.position}
        for row in session.scalars(rows.order_by(FactRow.seq))
    ]


def readings(rental: Rental, cover: Cover) -> dict[str, Any]:
    """Odometer and charge at both ends, as the box told them; null where it did not."""
    return {
        "start": {
            "at": rental.started_at,
            "odometer_km": rental.odometer_start,
            "charge_percent": rental.charge_start,
            "in_the_cover_km": cover.odometer_start_km,
        },
        "end": {
            "at": rental.ended_at,
            "odometer_km": rental.odometer_end,
            "charge_percent": rental.charge_end,
            "in_the_cover_km": cover.odometer_end_km,
        },
    }


def money(rental: Rental, cover: Cover) -> dict[str, Any]:
    """What the rental cost, line by line, what was paid of it, and the premium."""
    rows = session.scalars(select(Payment).where(Payment.rental_id == rental.id).order_by(Payment.id))
    return {
        "premium": None if cover.premium is None else {"amount": cover.premium, "currency": cover.currency},
        "covered_minutes": cover.covered_minutes,
        "charged_minutes": cover.charged_minutes,
        "charged_km": cover.charged_km,
        "km_from": cover.km_from,
        "quoted": rental.price,
        "charged": rental.final_price,
        "payments": [
            {
                "purpose": row.purpose,
                "state": row.state,
                "amount": row.amount,
                "captured": row.captured,
                "refunded": row.refunded,
                "currency": row.currency,
            }
            for row in rows
        ],
    }


def told(rental: Rental) -> list[dict[str, Any]]:
    """Who was told what of end, drivers and territory, when, and whether it arrived; kinds, not words."""
    rows = session.scalars(select(Message).where(Message.rental_id == rental.id).order_by(Message.id)).all()
    about = [row for row in rows if row.kind.startswith(ABOUT)]
    sent: dict[str, list[dict[str, Any]]] = {row.id: [] for row in about}
    for one in session.scalars(select(Delivery).where(Delivery.message_id.in_(sent)).order_by(Delivery.id)):
        words = {"channel": one.channel, "state": one.state, "reason": one.reason, "attempts": one.attempts}
        sent[one.message_id].append({**words, "at": one.at})
    return [
        {
            "kind": row.kind,
            "to": _to(row, rental),
            "made_at": row.made_at,
            "opened_at": row.read_at,
            "deliveries": sent[row.id],
        }
        for row in about
    ]


def _to(row: Message, rental: Rental) -> str:
    if row.person_id == rental.driver_id:
        return "driver"
    return "named_driver" if row.kind in TO_NAMED else "owner"


def photos(rental: Rental) -> list[Photo]:
    """All of the rental, oldest first."""
    return list(session.scalars(pictures.of(rental.id).order_by(Photo.id)))


def listed(rows: Iterable[Photo]) -> list[dict[str, Any]]:
    """What each photo shows, by whom and when it was received; `sent_sha256` is that of what the phone sent."""
    return [
        {
            "file": file_of(row),
            "step": row.step,
            "angle": row.angle,
            "by": row.role,
            "taken_at_as_claimed": row.taken_at,
            "received_at": row.received_at,
            "sha256": row.sha256,
            "sent_sha256": row.sent_sha256,
        }
        for row in rows
    ]


def file_of(row: Photo) -> str:
    return f"photos/{row.step}-{row.angle}-{row.id}.jpg"
