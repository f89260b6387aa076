"""The daily mail: what is not urgent, gathered for a person who wants it once a day."""

from sqlalchemy import select

from app.kit import clock, i18n, jobs
from app.kit.db import session, transactional
from app.kit.jobs import job
from app.messages import words
from app.messages.deliver import Letter, hand_over
from app.messages.models import Delivery, Message
from app.messages.outcome import Outcome, hash_of
from app.people.models import Person

AT_MOST = 100


@transactional
def due(person: str) -> None:
    """The hour of a person's digest has come."""
    jobs.defer("digest", person=person, lock=f"digest:{person}", last=True)


@job("digest")
def digest(person: str) -> None:
    """Send what waits for the person's daily mail, 100 at a time. A repeat sends only what is still waiting."""
    while gathered := _gather(person):
        letter, rows = gathered
        _settle(rows, hand_over(letter))


@transactional
def _gather(person: str) -> tuple[Letter, list[str]] | None:
    reader = session.get(Person, person)
    waiting = session.execute(
        select(Delivery, Message)
        .join(Message, Message.id == Delivery.message_id)
        .where(
            Delivery.person_id == person,
            Delivery.digest,
            Delivery.channel == "mail",
            Delivery.state == "waiting",
        )
        .order_by(Delivery.message_id)
        .limit(AT_MOST)
    ).all()
    if not waiting or reader is None or reader.erased_at is not None:
        return None
    language = i18n.pick(reader.language)
    for row, _ in waiting:
        row.attempts += 1
        row.address_hash = hash_of(reader.email)
    texts = [words.of(message.kind, message.params, reader.language) for _, message in waiting]
    lines = [i18n.say("digest.line", language, title=text.title, body=text.body) for text in texts]
    letter = Letter(
        to=reader.email,
        subject=i18n.say("digest.title", language),
        text="\n\n".join(lines),
        message_id=f"digest-{waiting[-1][0].id}",
    )
    return letter, [row.id for row, _ in waiting]


@transactional
def _settle(rows: list[str], outcome: Outcome) -> None:
    now = clock.now()
    for row in session.scalars(select(Delivery).where(Delivery.id.in_(rows)).with_for_update()):
        row.state, row.reason, row.at = outcome.state, outcome.reason, now
