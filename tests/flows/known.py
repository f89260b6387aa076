"""People who registered before a story begins: how one registers is told over HTTP by its own tests."""

from functools import cache

from app.demo_cast import PASSWORD, Actor
from app.kit.clock import real_now
from app.kit.db import new_id, session, transactional
from app.people import phones, sign_in
from app.people.models import Person
from app.people.register import ZONE_OF, email_key
from app.supervisor import Supervisor
from tests.factories import CHEAP


def known(place: Supervisor, name: str, *, language: str = "en") -> Actor:
    """An account with a confirmed address, a phone that signs, and a session on it."""
    actor = Actor(place, name, language=language, signs=True)
    with place.application().app_context():
        actor.id = _account(actor)
        actor.phone = phones.add(actor.id, actor.phone_body()).id
        tokens = sign_in.sign_in(actor.email, PASSWORD, actor.installation)
        session.remove()
    actor.access, actor.refresh = tokens["access_token"], tokens["refresh_token"]
    return actor


@transactional
def _account(actor: Actor) -> str:
    now = real_now()
    row = Person(
        id=new_id("per"),
        name=actor.name,
        email=actor.email,
        email_key=email_key(actor.email),
        email_confirmed_at=now,
        password_hash=_hash(),
        language=actor.language,
        country=actor.country,
        time_zone=ZONE_OF[actor.country],
        made_at=now,
    )
    session.add(row)
    return row.id


@cache
def _hash() -> str:
    return CHEAP.hash(PASSWORD)
