"""HTTP of people: accounts, sessions, conditions."""

from collections.abc import Callable
from typing import Any

from flask import Response, current_app

from app.kit import i18n
from app.kit.auth import Who, caller
from app.kit.db import session
from app.kit.errors import (
    CodeInvalid,
    CredentialsWrong,
    EmailUnconfirmed,
    NotAllowed,
    PasswordNeeded,
    SessionRevoked,
)
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page, require_match
from app.kit.rate_limits import address, allow_secret
from app.kit.routes import Routes, created, patch_of
from app.people import conditions, password, register, schemas, session_tokens, sign_in
from app.people.models import Person, Session

routes = Routes("people", __name__, url_prefix="/v1", description="Accounts, sessions, phones, licences.")
public = Routes("conditions", __name__, description="The texts people accept.")


def _guard(name: str, subject: str) -> None:
    limits = current_app.extensions["glovebox"].settings.limits
    allow_secret(f"{name}-address", address(), limits.secrets_address)
    allow_secret(name, subject, limits.secrets)


def _per_email(name: str) -> Callable[..., None]:
    """A limit on tries at one account, named by its address in the body."""
    return lambda body: _guard(name, register.email_key(body["email"]))


def per_person(name: str) -> Callable[..., None]:
    """A limit on tries of the signed-in person."""
    return lambda **_: _guard(name, caller().person)


def _per_refresh_token(body: dict[str, Any]) -> None:
    """A limit per account and address; an app that is used all day on several phones stays far below it."""
    limits = current_app.extensions["glovebox"].settings.limits
    allow_secret("refresh-address", address(), limits.refresh_address)
    account = session_tokens.account_of(body["refresh_token"])
    allow_secret("refresh", f"{account} {address()}" if account == "unknown" else account, limits.refresh)


@routes.add(
    "POST",
    "/people",
    who=Who.ALL,
    summary="Register",
    body=schemas.PersonIn,
    returns=schemas.Nothing,
    status=202,
    guard=_per_email("register"),
)
def register_person(body: dict[str, Any]) -> Answer:
    """Makes an account and mails a code to confirm the address. Answers alike whether the address is known or
    not; a known one gets a notice instead.
    """
    register.ask(body)
    return Answer({}, 202)


@routes.add(
    "POST",
    "/email-codes",
    who=Who.ALL,
    summary="Ask for a code by e-mail",
    body=schemas.EmailCodeAsked,
    returns=schemas.Nothing,
    status=202,
    guard=_per_email("email-code"),
)
def ask_email_code(body: dict[str, Any]) -> Answer:
    """Mails a six-digit code, good for 15 minutes and five tries. Answers alike whether the address is known
    or not.
    """
    register.ask_code(body["email"], body["purpose"])
    return Answer({}, 202)


@routes.add(
    "POST",
    "/people/confirm",
    who=Who.ALL,
    summary="Confirm the e-mail address",
    body=schemas.EmailConfirm,
    status=204,
    problems=(CodeInvalid,),
    guard=_per_email("confirm"),
)
def confirm_person(body: dict[str, Any]) -> None:
    """Confirms the address with the mailed code; only then can one sign in. Any failure is code-invalid."""
    register.confirm(body["email"], body["code"])


@routes.add(
    "POST",
    "/sessions",
    who=Who.ALL,
    summary="Sign in",
    body=schemas.SignInBody,
    returns=schemas.Tokens,
    status=201,
    problems=(CredentialsWrong, EmailUnconfirmed),
    secrets=("access_token", "refresh_token"),
    guard=_per_email("sign-in"),
)
def sign_in_person(body: dict[str, Any]) -> Answer:
    """Opens a session on one installation and ends that installation's older one. A sign-in from a new
    installation is told to the person.
    """
    tokens = sign_in.sign_in(body["email"], body["password"], body["installation"], body.get("totp"))
    return created(tokens, f"/sessions/{tokens['session']}")


@routes.add(
    "POST",
    "/sessions/refresh",
    who=Who.ALL,
    summary="Refresh the access token",
    body=schemas.RefreshBody,
    returns=schemas.Tokens,
    problems=(SessionRevoked,),
    guard=_per_refresh_token,
    secrets=("access_token", "refresh_token"),
)
def refresh_session(body: dict[str, Any]) -> dict[str, Any]:
    """Trades a refresh token, once, for new tokens. Asked again within 60 s while the successor is unused, it
    answers the same successor; any other reuse ends the session.
    """
    return sign_in.refresh(body["refresh_token"])


@routes.add("GET", "/sessions", summary="One's open sessions", query=Paging, returns=schemas.SessionList)
def list_sessions(query: dict[str, Any]) -> Page:
    """The sessions that are open, this one marked; the installation is shown of this one alone."""
    me = caller()
    found = page(sign_in.of(me.person), Session.id, **query)
    found.items = [
        {
            "id": one.id,
            "installation": one.installation if one.id == me.session else None,
            "made_at": one.made_at,
            "seen_at": one.seen_at,
            "current": one.id == me.session,
        }
        for one in found.items
    ]
    return found


@routes.add(
    "DELETE", '/sessions/<pid("ses"):session_id>', summary="End a session", status=204, while_suspended=True
)
def end_session(session_id: str) -> None:
    """Ends one session: its tokens are dead before the answer."""
    sign_in.sign_out(caller().person, session_id)


@routes.add("DELETE", "/sessions/current", summary="Sign out", status=204, while_suspended=True)
def sign_out() -> None:
    """Ends this session: its tokens are dead before the answer."""
    sign_in.sign_out(caller().person, caller().session)


@routes.add(
    "POST",
    "/sessions/current/confirm",
    summary="Give the password again",
    body=schemas.PasswordGiven,
    status=204,
    problems=(CredentialsWrong,),
    guard=per_person("password"),
)
def confirm_password(body: dict[str, Any]) -> None:
    """Opens ten minutes in which this session may do what asks for the password again."""
    sign_in.confirm_password(caller().person, caller().session, body["password"])


@routes.add(
    "PUT",
    "/me/password",
    summary="Change the password",
    body=schemas.NewPassword,
    status=204,
    fresh_password=True,
    problems=(PasswordNeeded,),
)
def change_password(body: dict[str, Any]) -> None:
    """Sets a new password and ends all other sessions."""
    password.change(caller().person, caller().session, body["password"])


@routes.add(
    "POST",
    "/password-resets",
    who=Who.ALL,
    summary="Set a new password by a mailed code",
    body=schemas.PasswordReset,
    status=204,
    problems=(CodeInvalid,),
    guard=_per_email("reset"),
)
def reset_password(body: dict[str, Any]) -> None:
    """Sets a new password with a mailed code and ends all sessions."""
    password.reset(body["email"], body["code"], body["password"])


@routes.add(
    "POST",
    "/me/email",
    summary="Change the e-mail address",
    body=schemas.NewEmail,
    returns=schemas.Nothing,
    status=202,
    fresh_password=True,
    problems=(PasswordNeeded, NotAllowed),
    guard=per_person("email-change"),
)
def change_email(body: dict[str, Any]) -> Answer:
    """Mails a code to the new address and a notice to the old one; the address changes when the code comes
    back. An account that has had a confirmed phone does this on a confirmed phone.
    """
    password.ask_email_change(caller(), body["email"])
    return Answer({}, 202)


@routes.add(
    "POST",
    "/me/email/confirm",
    summary="Confirm the new address",
    body=schemas.CodeGiven,
    status=204,
    problems=(CodeInvalid,),
    guard=per_person("email-change-confirm"),
)
def confirm_email_change(body: dict[str, Any]) -> None:
    """Confirms the new address with its code."""
    password.confirm_email_change(caller().person, body["code"])


def _me(person: Person) -> dict[str, Any]:
    return {
        name: getattr(person, name)
        for name in ("id", "name", "email", "language", "country", "time_zone", "birth_date", "address")
    } | {"roles": ["operator"] if person.operator else []}


@routes.add("GET", "/me", summary="One's account", returns=schemas.Person, etag=True)
def read_me() -> dict[str, Any]:
    """The account as its holder sees it."""
    person = session.get(Person, caller().person)
    assert person is not None
    return _me(person)


_PATCH_ME = patch_of(schemas.Person, "name", "language", "country", "time_zone", "birth_date", "address")


@routes.add(
    "PATCH", "/me", summary="Change one's account", body=_PATCH_ME, returns=schemas.Person, match=True
)
def change_me(body: dict[str, Any]) -> dict[str, Any]:
    """Changes what is given; what is left out stays."""
    return _me(
        register.change(caller().person, body, lambda person: require_match(schemas.Person(), _me(person)))
    )


@routes.add(
    "POST", "/me/acceptances", summary="Accept conditions", body=schemas.AcceptBody, returns=schemas.Accepted
)
def accept_conditions(body: dict[str, Any]) -> dict[str, Any]:
    """Accepts versions of conditions, which stays on record; needed before a rental."""
    conditions.accept(caller().person, body["accept"])
    return {"accepted": sorted(conditions.accepted(caller().person))}


@public.route("/conditions/<string(maxlength=60):version>", methods=["GET"])
def read_conditions(version: str) -> Response:
    answer: Response = current_app.response_class(
        conditions.text(version, i18n.reader()), mimetype="text/markdown"
    )
    return answer
