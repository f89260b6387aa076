"""What lies before a story begins, made in this process: how people register and are cleared is told over HTTP elsewhere."""

import secrets
from datetime import date

from app.demo_cast import PASSWORD, Actor
from app.kit.db import release, transactional
from app.people import licence, phones, sign_in
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
    recorded = {
        "number": f"12AB{secrets.randbelow(10**6):06d}",
        "country": member.country,
        "classes": ["B"],
        "birth_date": date(1990, 4, 2),
        "issued_on": date(2010, 5, 1),
        "expires_on": date(2036, 5, 1),
    }

    @transactional
    def work() -> None:
        licence.record(member.id, recorded)
        licence.clear(member.id, by=by.id, level="owner", community=community)

    with place.application().app_context():
        work()
        release()
