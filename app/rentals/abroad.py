"""A rental's car in another country: where it was seen last counts once it is seen there again, and its cover is flagged."""

from datetime import datetime

from app.cars import abroad, alerts
from app.coverage import territory
from app.facts import RentalStarted
from app.kit.db import session, transactional
from app.kit.jobs import job
from app.rentals import access
from app.rentals.models import Rental


@transactional
def on_started(fact: RentalStarted) -> None:
    box = alerts.locked(session.get_one(Rental, fact.rental).car_id)
    if box is not None:
        abroad.judge_anew(box, fact.at)


@job("note_country")
def note_country(rental: str, country: str, at: str) -> None:
    """A rental's car was in a country at an instant: that is all that is known of it, and none of it if insured there."""
    _note(rental, country, datetime.fromisoformat(at))


@transactional
def _note(rental: str, country: str, at: datetime) -> None:
    access.locked(rental)
    territory.note(rental, country, at)
