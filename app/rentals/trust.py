"""Whether a community knows a driver well enough to let them book without asking: by how their last rentals went."""

from sqlalchemy import func, select

from app.billing.models import Payment
from app.billing.states import CHARGE_REQUEST
from app.billing.states import State as Paid
from app.kit.db import session
from app.rentals.lifecycle import State
from app.rentals.models import Rental
from app.rentals.word_models import Review

RENTALS, STARS = 3, 4
"""As many of the last rentals there must have ended without anything charged afterwards, and reviewed as this at least."""


def is_trusted(person: str, community: str) -> bool:
    """Three rentals of this community at least, and of the last three none that something was charged for afterwards; by
    what owners wrote of them, as far as they did, four stars on average.
    """
    last = (
        select(Rental.id)
        .where(
            Rental.driver_id == person,
            Rental.community_id == community,
            Rental.state.in_([State.ENDED.value, State.SETTLED.value]),
        )
        .order_by(Rental.id.desc())
        .limit(RENTALS)
    )
    rentals = session.scalars(last).all()
    if len(rentals) < RENTALS:
        return False
    charged = select(Payment.id).where(
        Payment.rental_id.in_(rentals),
        Payment.purpose == CHARGE_REQUEST,
        Payment.state.not_in([Paid.RELEASED.value, Paid.REFUNDED.value]),
    )
    stars = select(func.avg(Review.stars)).where(
        Review.rental_id.in_(rentals), Review.side == "owner", Review.opened_at.is_not(None)
    )
    average = session.execute(stars).scalar_one()
    return session.execute(charged.limit(1)).first() is None and (average is None or average >= STARS)
