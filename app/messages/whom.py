"""Whom to tell: each function names the people of a scene; the stranger is in none of them."""

from collections.abc import Callable

from sqlalchemy import select

from app.cars import access as cars
from app.communities import access as circles
from app.communities.models import Invitation
from app.coverage import named_drivers
from app.kit.db import session
from app.messages import about
from app.messages.scene import Scene
from app.people.models import Session
from app.people.register import find_by_email
from app.rentals import access as rentals

People = list[str | None]


def person(scene: Scene) -> People:
    """Whom the fact is about."""
    return [scene.fact.person]


def driver(scene: Scene) -> People:
    return [scene.rental.driver] if scene.rental else []


def owners(scene: Scene) -> People:
    """Who is told as owner of the car; never also the driver."""
    if scene.rental is not None:
        return list(scene.rental.owners)
    return list(cars.runners(scene.car)) if scene.car else []


def other_owners(scene: Scene) -> People:
    """The owners but the one who did it."""
    actors = (scene.said("by"), scene.said("approved_by"))
    return [one for one in owners(scene) if one not in actors]


def out_with_it(scene: Scene) -> People:
    """Who has the car out, unless they said it themselves."""
    out = rentals.out_of_car(scene.car.no) if scene.car else None
    return [out.driver_id] if out is not None and out.driver_id != scene.said("by") else []


def other_side(scene: Scene) -> People:
    """Whom a note is for: the owners, or the driver."""
    return owners(scene) if scene.fact.by in driver(scene) else driver(scene)


def other_than_actor(named: Callable[[Scene], People]) -> Callable[[Scene], People]:
    """Those of them who did not do it themselves."""
    return lambda scene: [one for one in named(scene) if one != scene.said("by")]


def named(scene: Scene) -> People:
    """Those who drive beside who booked."""
    return [one.person_id for one in named_drivers.of(scene.fact.rental)]


def payees(scene: Scene) -> People:
    """Who earns by the payment."""
    return [one for one in about.payees(scene.fact.payment) if one not in driver(scene)]


def earner(scene: Scene) -> People:
    """Who was paid: a person, or those who run the community that was."""
    payee: str = scene.fact.person
    return list(circles.runners(payee)) if payee.startswith("com_") else [payee]


def community_owners(scene: Scene) -> People:
    """Who owns the community that earns: its account is theirs alone to mend."""
    return list(circles.owners(scene.fact.person))


def holder(scene: Scene) -> People:
    """Who holds the car: its driver while it is out, else its owners."""
    return driver(scene) or owners(scene)


def invited(scene: Scene) -> People:
    """The address the invitation was sent to: its account, or None for one without; nobody for a mere link."""
    email = _invitation(scene).email
    if email is None:
        return []
    account = find_by_email(email)
    return [account.id if account else None]


def inviters(scene: Scene) -> People:
    """Who invited, and who runs the community."""
    people = [_invitation(scene).invited_by, *circles.runners(scene.fact.community)]
    return [one for one in people if one != scene.fact.person]


def _invitation(scene: Scene) -> Invitation:
    return session.get_one(Invitation, scene.fact.invitation)


def other_runners(scene: Scene) -> People:
    """Who runs the community, but for whom the fact is about."""
    return [one for one in circles.runners(scene.fact.community) if one != scene.fact.person]


def has_other_sessions(scene: Scene) -> bool:
    """Whether the person was ever signed in elsewhere: the very first sign-in is no news."""
    other = select(Session.id).where(Session.person_id == scene.fact.person, Session.id != scene.fact.session)
    return session.execute(other.limit(1)).first() is not None
