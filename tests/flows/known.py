"""People who registered before a story begins: how one registers is told over HTTP by its own tests."""

from app.demo_cast import PASSWORD, Actor
from app.kit.db import release
from app.people import phones, sign_in
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
