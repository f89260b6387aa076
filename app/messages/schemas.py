"""What goes in and out about messages."""

from marshmallow import fields

from app.kit.fields import Flag, Instant, Many, OneOf, Paging, PublicIdField, Strict, Text
from app.kit.routes import page_of
from app.messages.delivery_log import SIDES
from app.messages.kinds import KINDS
from app.messages.preferences import CHANNELS, DIGEST
from app.messages.timeline import BY
from app.rentals.door_schemas import COMMAND_STATE

CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class MessageAction(Strict):
    """Something the reader may do about a message now."""

    label = Text(40)
    link = Text(200, metadata={"example": "/v1/rentals/ren_01970000000070008000000000000000/approve"})


class MessageDelivery(Strict):
    """A message on its way to one phone or mailbox."""

    channel = OneOf(CHANNELS)
    state = OneOf(("waiting", "sent", "failed", "gone", "skipped"))
    at = Instant()


class Message(Strict):
    """What a person is told about something that happened."""

    id = PublicIdField("msg")
    kind = OneOf(sorted(KINDS))
    title = Text(300)
    body = Text(2000, lines=True)
    rental = PublicIdField("ren", allow_none=True)
    actions = Many(fields.Nested(MessageAction), 5)
    urgent = Flag()
    at = Instant()
    received_at = Instant(allow_none=True)
    read_at = Instant(allow_none=True)
    deliveries = Many(fields.Nested(MessageDelivery), 100)


MessagePage = page_of(Message, "Message")


class Messages(Paging):
    """Which messages."""

    unread = Flag(load_default=None)


class QuietHours(Strict):
    """Hours in the person's wall time in which nothing that can wait makes a sound; they may span midnight."""

    from_ = Text(5, shortest=5, pattern=CLOCK, required=True, data_key="from", attribute="from")
    to = Text(5, shortest=5, pattern=CLOCK, required=True)


class Topics(Strict):
    """Channels for what a message is about, where they are not those for all; an empty list: the inbox alone."""

    requests = Many(OneOf(CHANNELS), 2)
    rentals = Many(OneOf(CHANNELS), 2)
    car = Many(OneOf(CHANNELS), 2)
    money = Many(OneOf(CHANNELS), 2)
    claims = Many(OneOf(CHANNELS), 2)
    communities = Many(OneOf(CHANNELS), 2)
    licence = Many(OneOf(CHANNELS), 2)


class Preferences(Strict):
    """How a person wants to be told; codes and news of the account itself come in any case."""

    quiet = fields.Nested(QuietHours, allow_none=True, required=True)
    channels = Many(OneOf(CHANNELS), 2, required=True)
    digest = OneOf(DIGEST, required=True)
    topics = fields.Nested(Topics)


class TimelineCommand(Strict):
    """The door command that an event is about, as it stands now."""

    id = PublicIdField("cmd")
    kind = OneOf(("unlock", "lock"))
    state = OneOf(COMMAND_STATE)
    asked_by = Text(80)
    asked_on = Text(80, allow_none=True)
    sent_text = Text(500, allow_none=True)
    answer_text = Text(500, allow_none=True)
    evidence = OneOf(("strong", "weak"), allow_none=True)
    sent_at = Instant(allow_none=True)
    answered_at = Instant(allow_none=True)


class TimelineTold(Strict):
    """Somebody of the rental who was told of an event: when it first went out to them, came, and was opened."""

    to = OneOf(SIDES)
    first_name = Text(80)
    told_at = Instant(allow_none=True)
    received_at = Instant(allow_none=True)
    opened_at = Instant(allow_none=True)
    deliveries = Many(fields.Nested(MessageDelivery), 100)


class TimelineEvent(Strict):
    """One thing that happened in a rental."""

    at = Instant()
    kind = Text(60)
    by = OneOf(BY)
    text = Text(300)
    told_at = Instant(allow_none=True)
    opened_at = Instant(allow_none=True)
    told = Many(fields.Nested(TimelineTold), 100)
    command = fields.Nested(TimelineCommand, allow_none=True)


EventPage = page_of(TimelineEvent, "TimelineEvent")
