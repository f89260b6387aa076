"""By which ways a message goes to a person: one delivery per phone, one for the mail, or a line of the daily mail.

A mail is a job of its own. Pushes wait in their rows until `push_out` takes many at once.
"""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from app.communities.models import Invitation
from app.kit import clock, deadlines, jobs
from app.kit.clock import real_now
from app.kit.db import bare, new_id, notify, session
from app.kit.driver import plain
from app.kit.keys import seal
from app.messages import preferences
from app.messages.kinds import ALWAYS, KINDS
from app.messages.models import DLV, Delivery, Message
from app.people import reached
from app.people.models import PHO, EmailCode, Person, Phone

SEALED = "mail address"
QUIET_FOR = timedelta(days=14)
"""An app that has asked for no tokens for so long is pushed to, until its address is forgotten, but not counted upon."""
LASTS = timedelta(hours=1)
"""What is true so long is worth a line of the daily mail to who has no phone that works."""
OUTBOX = "pushes"
"""Where `push_out` hears that something waits."""


def send(message: Message, reader: Person | None) -> None:
    """Write the deliveries of a new message and defer their jobs; `reader` is None for an invited address alone."""
    if reader is None:
        mail_out(_row(message, "mail"))
        return
    wishes = preferences.of(reader)
    wanted = wishes.channels_of(message.kind)
    mailable = "mail" in wanted and not message.urgent and message.kind not in ALWAYS
    if wishes.digest and mailable:
        _to_daily_mail(message, reader, wishes)
        return
    ways = _ways(message.kind, wanted)
    working = reached.of(reader.id) if "push" in ways else []
    for phone in working:
        push_now(_row(message, "push", phone=phone.id), urgent=message.urgent)
    if (
        mailable
        and "push" in ways
        and "mail" not in ways
        and not working
        and KINDS[message.kind].ttl >= LASTS
    ):
        _to_daily_mail(message, reader, wishes)
    mail_after = KINDS[message.kind].mail_after
    if mail_after is not None and "mail" in wanted and "mail" not in ways:
        if "push" not in ways or _heard_lately(working):
            deadlines.at("mail_after", message.id, message.made_at + mail_after)
        else:
            mail_after_all(message)
    if "mail" in ways:
        mail_out(_row(message, "mail", address=_kept_address(message, reader)))


def _to_daily_mail(message: Message, reader: Person, wishes: preferences.Wishes) -> None:
    _row(message, "mail", digest=True)
    deadlines.at("digest", reader.id, wishes.digest_at(message.made_at))


def _heard_lately(working: list[Phone]) -> bool:
    """Whether a phone was heard of lately: for a long silent one no mail is made to wait."""
    lately = real_now() - QUIET_FOR
    return any(phone.seen_at >= lately for phone in working)


def mail_after_all(message: Message) -> None:
    """A mail of what was, or would have been, pushed; only the first time."""
    row = insert(Delivery).values(
        id=new_id(DLV),
        message_id=message.id,
        person_id=message.person_id,
        channel="mail",
        digest=False,
        state="waiting",
        attempts=0,
        at=clock.now(),
    )
    made = session.execute(
        row.on_conflict_do_nothing(constraint="deliveries_one_each_key").returning(Delivery.id)
    ).scalar_one_or_none()
    if made is not None:
        mail_out(session.get_one(Delivery, made))


def _ways(kind: str, wanted: tuple[str, ...]) -> frozenset[str]:
    """The kind's own channels as far as they are wanted; where none is, those that are."""
    usual: frozenset[str] = frozenset(KINDS[kind].channels)
    if kind in ALWAYS:
        return usual
    return usual & set(wanted) or frozenset(wanted)


def _row(
    message: Message,
    channel: str,
    *,
    phone: str | None = None,
    digest: bool = False,
    address: str | None = None,
) -> Delivery:
    row = Delivery(
        id=new_id(DLV),
        message_id=message.id,
        person_id=message.person_id,
        channel=channel,
        phone_id=phone,
        digest=digest,
        address_sealed=seal(SEALED, address.encode()) if address else None,
        at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row


def mail_out(row: Delivery) -> None:
    jobs.defer("deliver", delivery=row.id, lock=f"delivery:{row.id}")


_AHEAD = text(
    "update deliveries set ahead = true where id in (select d.id from deliveries d"
    " where d.phone_id = :phone and d.try_at is not null and not d.ahead and exists (select from deliveries u"
    " where u.phone_id = d.phone_id and u.try_at is not null and u.ahead and u.id > d.id) for update skip locked)"
)


def push_now(row: Delivery, *, urgent: bool = False, late: bool = False) -> None:
    """It may go out; what is urgent ahead of all that is not, with what its phone is to get before it.

    One that comes `late` was held back: something urgent may stand behind it already.
    """
    row.try_at, row.ahead = real_now(), urgent
    if urgent or late:
        plain(_AHEAD, {"phone": bare(str(row.phone_id), PHO)})
    notify(OUTBOX, "")


def _kept_address(message: Message, reader: Person) -> str | None:
    """The old address must hear of its change even if the new one has taken over before the mail goes out."""
    return reader.email if message.kind == "email_change_notice" else None


def mail_address(message: Message) -> str | None:
    """Where a mail goes: to the invited address, to the new address for its code, else to the person's."""
    if message.kind in ("invited", "invited_again"):
        invitation = session.get(Invitation, message.params["link"])
        return invitation.email if invitation else None
    if message.kind == "email_change":
        code = session.get(EmailCode, message.params["code"])
        return code.subject if code else None
    person = session.get(Person, message.person_id) if message.person_id else None
    return person.email if person is not None and person.erased_at is None else None


def reader_language(message: Message) -> str:
    """The person's language; for an address without an account, the inviter's."""
    person = session.get(Person, message.person_id or message.params["inviter"])
    return person.language if person else "en"
