"""What goes in and out about people."""

from typing import Any

from marshmallow import fields

from app.kit.fields import (
    AnyCountry,
    Country,
    Day,
    Flag,
    Instant,
    Many,
    OneOf,
    PublicIdField,
    Strict,
    Text,
    Whole,
    Zone,
    email,
    language,
    line,
)

INSTALLATION = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
CODE = r"^[0-9]{6}$"


def installation(**kwargs: Any) -> Text:
    return Text(36, shortest=36, pattern=INSTALLATION, **kwargs)


def password(**kwargs: Any) -> Text:
    return Text(128, shortest=12, load_only=True, **kwargs)


class PersonIn(Strict):
    """A person who registers."""

    name = line(80, required=True)
    email = email(required=True)
    password = password(required=True)
    language = language(required=True)
    country = Country(required=True)
    time_zone = Zone()
    birth_date = Day()
    address = line(200)


class Person(Strict):
    """An account as its holder sees it."""

    id = PublicIdField("per", dump_only=True)
    name = line(80)
    email = email(dump_only=True)
    language = language()
    country = Country()
    time_zone = Zone()
    birth_date = Day(allow_none=True)
    address = line(200, allow_none=True)
    roles = Many(OneOf(("operator",)), 5, dump_only=True)


class OtherPerson(Strict):
    """What others see of a person."""

    id = PublicIdField("per")
    first_name = Text(80)


class Nothing(Strict):
    """An empty answer."""


class EmailCodeAsked(Strict):
    """Ask for a code by e-mail."""

    email = email(required=True)
    purpose = OneOf(("confirm", "reset"), required=True)


class EmailConfirm(Strict):
    """Confirm an address."""

    email = email(required=True)
    code = Text(6, pattern=CODE, required=True)


class CodeGiven(Strict):
    """A mailed code."""

    code = Text(6, pattern=CODE, required=True)


class SignInBody(Strict):
    """Sign in on one installation."""

    email = email(required=True)
    password = Text(128, required=True, load_only=True)
    installation = installation(required=True)
    totp = Text(6, pattern=CODE)


class RefreshBody(Strict):
    """A refresh token."""

    refresh_token = Text(200, pattern=r"^[A-Za-z0-9._-]+$", required=True)


class Tokens(Strict):
    """Tokens of one session."""

    access_token = Text(2000)
    refresh_token = Text(200)
    expires_in = Whole(1, 3600)
    session = PublicIdField("ses")


class Session(Strict):
    """A sign-in on one installation."""

    id = PublicIdField("ses")
    installation = installation(allow_none=True)
    made_at = Instant()
    seen_at = Instant()
    current = Flag()


class SessionList(Strict):
    """The open sessions, newest first."""

    items = Many(fields.Nested(Session), 100)
    next_cursor = Text(200, allow_none=True)


class PasswordGiven(Strict):
    """The present password."""

    password = Text(128, required=True, load_only=True)


class NewPassword(Strict):
    """A new password."""

    password = password(required=True)


class PasswordReset(Strict):
    """A new password by a mailed code."""

    email = email(required=True)
    code = Text(6, pattern=CODE, required=True)
    password = password(required=True)


class NewEmail(Strict):
    """A new e-mail address."""

    email = email(required=True)


class PushKeys(Strict):
    """The keys of a web push subscription."""

    p256dh = Text(200, required=True)
    auth = Text(100, required=True)


class PushAddress(Strict):
    """Where pushes for a phone go."""

    kind = OneOf(("fid", "fcm_token", "webpush"), required=True)
    address = Text(4096, required=True)
    keys = fields.Nested(PushKeys)


class WebPushKey(Strict):
    """What a browser's app subscribes with; none: browsers are not pushed to."""

    key = Text(100, allow_none=True)


class PhoneIn(Strict):
    """The app on this device, as it registers."""

    installation = installation(required=True)
    platform = OneOf(("ios", "android", "web"), required=True)
    push = fields.Nested(PushAddress, allow_none=True)
    public_key = Text(400, pattern=r"^[A-Za-z0-9_-]+$", allow_none=True)
    language = language(allow_none=True)


class Phone(PhoneIn):
    """An installed app on one device; its installation is shown to itself alone."""

    id = PublicIdField("pho")
    installation = installation(allow_none=True)
    confirmed = Flag()
    seen_at = Instant()


class PhoneList(Strict):
    """One's phones."""

    items = Many(fields.Nested(Phone), 100)
    next_cursor = Text(200, allow_none=True)


class Licence(Strict):
    """A driving licence."""

    number = Text(24, required=True)
    country = AnyCountry(required=True)
    classes = Many(Text(3, pattern=r"^[A-Z0-9]{1,3}$"), 9, least=1, required=True)
    birth_date = Day(required=True)
    issued_on = Day(required=True)
    expires_on = Day(required=True)
    state = OneOf(("pending", "cleared", "refused", "expired"), dump_only=True)
    recheck_on = Day(dump_only=True, allow_none=True)


class AcceptBody(Strict):
    """Versions of conditions to accept."""

    accept = Many(Text(60, pattern=r"^[a-z0-9-]+$"), 10, least=1, required=True)


class Accepted(Strict):
    """Versions of conditions one has accepted."""

    accepted = Many(Text(60), 100)
