"""What goes in and out about communities."""

from marshmallow import fields

from app.kit.fields import Day, Flag, Instant, Many, OneOf, PublicIdField, Strict, Text, Whole, email, line
from app.kit.routes import page_of

ROLE, FARE = ("owner", "manager", "driver"), ("free", "at_cost", "priced")


class Rules(Strict):
    """The rules of a community."""

    approval = OneOf(("always", "never", "by_fare", "by_trust"))
    photos = OneOf(("none", "start", "end", "both"))
    days_ahead = Whole(1, 365)
    per_week = Whole(0, 50)
    may_invite = OneOf(ROLE)
    recheck_months = Whole(1, 12)


class Community(Strict):
    """A circle of people and the cars shared with them."""

    id = PublicIdField("com", dump_only=True)
    name = line(80, required=True)
    kind = OneOf(("circle", "pool", "co-owned"), required=True)
    rules = fields.Nested(Rules)
    my_role = OneOf(ROLE, dump_only=True)


CommunityPage = page_of(Community, "Community")


class Member(Strict):
    """A person as the other members see them."""

    id = PublicIdField("per")
    first_name = Text(80)


class Membership(Strict):
    """A person in a community."""

    person = fields.Nested(Member, dump_only=True)
    role = OneOf(ROLE)
    fare = OneOf(FARE)
    label = line(40, allow_none=True)
    blocked = Flag()


MembershipPage = page_of(Membership, "Membership")


class Invitation(Strict):
    """A link or code that makes a membership."""

    id = PublicIdField("inv", dump_only=True)
    email = email(allow_none=True)
    label = line(40, allow_none=True)
    role = OneOf(ROLE)
    fare = OneOf(FARE)
    uses = Whole(1, 50)
    expires_at = Instant()
    state = OneOf(("open", "declined", "used", "revoked", "expired", "exhausted"), dump_only=True)
    code = Text(40, dump_only=True, allow_none=True)
    url = fields.String(dump_only=True, allow_none=True, metadata={"format": "uri", "maxLength": 300})
    qr = fields.String(dump_only=True, allow_none=True, metadata={"format": "uri", "maxLength": 20000})


InvitationPage = page_of(Invitation, "Invitation")


class Preview(Strict):
    """What an invitation shows to anybody who holds it."""

    inviter = Text(80)
    community = Text(80)
    kind = OneOf(("circle", "pool", "co-owned"))
    role = OneOf(ROLE)
    expires_at = Instant()


class Cleared(Strict):
    """A driver's licence as it stands for one community."""

    country = Text(2)
    classes = Many(Text(3), 9)
    expires_on = Day()
    recorded_at = Instant()
    state = OneOf(("pending", "cleared", "refused", "expired"))
    recheck_on = Day(allow_none=True)
