"""What lies before a story begins, made in this process: how people register and are cleared is told over HTTP elsewhere."""

from app.communities.models import Community
from app.demo_cast import PASSWORD, Actor
from app.kit.db import release, session
from app.people import phones, sign_in
from app.people.models import Person
from app.supervisor import Supervisor
from tests import factories


def known(place: Supervisor, name: str, *, language: str = "en") -> Actor:
    """An account with a confirmed address, a phone that signs, and a session on it."""
    actor = Actor(place, name, language=language, signs=True)
    with place.application().app_context():
        account = {"email": actor.email, "language": actor.language, "country": actor.country}
        actor.id = factories.person(actor.name, password=PASSWORD, **account).id
        actor.phone = phones.add(actor.id, actor.phone_body()).id
        tokens = sign_in.sign_in(actor.email, PASSWORD, actor.installation)
        release()
    actor.access, actor.refresh = tokens["access_token"], tokens["refresh_token"]
    return actor


def cleared(place: Supervisor, member: Actor, *, by: Actor, community: str) -> None:
    """The member's licence is recorded, and the owner of the community clears it."""
    with place.application().app_context():
        driver, owner = (session.get_one(Person, one.id) for one in (member, by))
        factories.licensed(driver, owner, session.get_one(Community, community))
        release()
