"""The first unlock of a rental: a long one is paid from then on."""

from app.billing import pickup
from app.facts import RentalStarted
from app.kit.db import session
from app.rentals.models import Rental
from payments.tariff import Price


def on_started(fact: RentalStarted) -> None:
    """RentalStarted: its price is taken where the bank would not hold it until the end."""
    rental = session.get_one(Rental, fact.rental)
    pickup.picked_up(rental.id, rental.to_at, Price.from_dict(rental.price).total)
