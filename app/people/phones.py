"""Phones: installed apps, their push addresses and device keys; a second phone is confirmed before it opens doors."""

import base64
import re
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from sqlalchemy import Select, select

from app.facts import PhoneAdded, PhoneRemoved
from app.kit import facts, push_services, rights
from app.kit.auth import Caller
from app.kit.clock import real_now
from app.kit.db import new_id, session, transactional
from app.kit.errors import AlreadyExists, NotAllowed, NotFound, SignatureInvalid, Validation
from app.kit.keys import settings
from app.people import codes, sign_in
from app.people.models import Phone, Session

SIGNED_WITHIN_S = 60
AT_MOST = 20


@transactional
def add(person: str, body: dict[str, Any]) -> Phone:
    """Register a phone. Raises AlreadyExists for an installation that is registered, Validation, NotAllowed beyond 20."""
    if body.get("public_key"):
        public_key(body["public_key"])
    _check_push(body.get("push"))
    others = of(person)
    if any(one.installation == body["installation"] for one in others):
        raise AlreadyExists("This installation is registered; PATCH it instead.")
    if len(others) >= AT_MOST:
        raise NotAllowed(f"An account has at most {AT_MOST} phones; remove one that is no longer used.")
    first = not _ever_had_one(person)
    _forget_revoked(person, body["installation"])
    now = real_now()
    phone = Phone(
        id=new_id("pho"),
        person_id=person,
        installation=body["installation"],
        platform=body["platform"],
        push=body.get("push"),
        public_key=body.get("public_key"),
        language=body.get("language"),
        confirmed_at=now if first else None,
        made_at=now,
        seen_at=now,
    )
    session.add(phone)
    session.flush()
    code = None if first else codes.issue(person, "phone", phone.id)
    facts.record(PhoneAdded(person=person, phone=phone.id, code=code.id if code else None))
    return phone


def _check_push(push: dict[str, Any] | None) -> None:
    """A browser's subscription is to be of a push service we go to, with keys it can be written to by."""
    if push is None or push["kind"] != "webpush":
        return
    try:
        push_services.check(push["address"], settings())
    except ValueError as error:
        raise _wrong("/push/address", str(error)) from error
    keys = push.get("keys")
    if keys is None:
        raise _wrong("/push/keys", "Is needed for webpush.")
    try:
        push_services.check_keys(keys["p256dh"], keys["auth"])
    except ValueError as error:
        raise _wrong("/push/keys", "Not the keys of a subscription (base64url).") from error


def _wrong(pointer: str, detail: str) -> Validation:
    return Validation(errors=[{"pointer": pointer, "code": "invalid", "detail": detail}])


def _ever_had_one(person: str) -> bool:
    """Only an account's very first phone needs no code: removing it must not let the next one in unconfirmed."""
    return session.scalars(select(Phone.id).where(Phone.person_id == person).limit(1)).first() is not None


def _forget_revoked(person: str, installation: str) -> None:
    old = session.scalars(
        select(Phone).where(Phone.person_id == person, Phone.installation == installation)
    ).first()
    if old is not None:
        old.installation = f"{installation}#{old.id}"
        session.flush()


def of(person: str) -> list[Phone]:
    return list(session.scalars(live(person).order_by(Phone.id.desc())))


def live(person: str) -> Select[Phone]:
    """The phones of a person that were not removed."""
    return select(Phone).where(Phone.person_id == person, Phone.revoked_at.is_(None))


def require_confirmed(by: Caller) -> None:
    """Once an account has had a confirmed phone, what takes it over is done on one. Raises NotAllowed.

    A phone that was removed counts: else a stolen password would remove it first.
    """
    ever = select(Phone.id).where(Phone.person_id == by.person, Phone.confirmed_at.is_not(None)).limit(1)
    if session.scalars(ever).first() is None:
        return
    own = session.get(Phone, by.phone) if by.phone else None
    if own is None or own.confirmed_at is None or own.revoked_at is not None:
        raise NotAllowed(
            "Do this on a confirmed phone of yours. Register this one with POST /v1/me/phones and confirm it with the "
            "code that is mailed to you."
        )


def find(person: str, phone: str) -> Phone:
    """One's own phone. Raises NotFound."""
    found = session.get(Phone, phone)
    if found is None or found.person_id != person or found.revoked_at is not None:
        raise NotFound
    return found


@transactional
def change(person: str, phone: str, body: dict[str, Any]) -> Phone:
    _check_push(body.get("push"))
    found = find(person, phone)
    for name in ("push", "language"):
        if name in body:
            setattr(found, name, body[name])
    found.seen_at = real_now()
    return found


def confirm(person: str, phone: str, code: str) -> None:
    """Confirm a second phone by the mailed code. Raises CodeInvalid, NotFound."""
    if not _confirm(person, phone, code):
        raise codes.invalid()


@transactional
def _confirm(person: str, phone: str, code: str) -> bool:
    found = find(person, phone)
    if codes.redeem(person, "phone", code, phone) is None:
        return False
    found.confirmed_at = real_now()
    return True


@transactional
def doubt(person: str) -> None:
    """Phones that prove themselves by no key are to be confirmed again: the next sign-in on one mails a code."""
    rights.revoke(person)
    for phone in session.scalars(live(person).where(Phone.public_key.is_(None)).with_for_update()):
        phone.confirmed_at = None


@transactional
def remove(person: str, phone: str) -> None:
    """Revoke a phone; its session ends with it, dead before this returns."""
    rights.revoke(person)
    found = session.get(Phone, phone, with_for_update=True)
    if found is None or found.person_id != person or found.revoked_at is not None:
        raise NotFound
    found.revoked_at = real_now()
    opened = session.scalars(
        select(Session).where(
            Session.person_id == person,
            Session.installation == found.installation,
            Session.revoked_at.is_(None),
        )
    )
    for one in opened:
        sign_in.end(one, "phone removed")
    facts.record(PhoneRemoved(person=person, phone=phone))


@transactional
def gone(phone: str, address: str) -> None:
    """The push service says that this address is dead: forget it unless it changed meanwhile."""
    found = session.get(Phone, phone, with_for_update=True)
    if found is not None and (found.push or {}).get("address") == address:
        found.push = None


def public_key(text: str) -> ec.EllipticCurvePublicKey:
    """A phone's P-256 key: base64url of its DER SubjectPublicKeyInfo. Raises Validation."""
    wrong = [
        {"pointer": "/public_key", "code": "invalid", "detail": "Not a P-256 key (base64url of DER SPKI)."}
    ]
    try:
        key = load_der_public_key(_unb64(text))
    except (ValueError, TypeError) as error:
        raise Validation(errors=wrong) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Validation(errors=wrong)
    return key


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_signature(
    key: str, header: str | None, method: str, path: str, idempotency_key: str, digest: str
) -> None:
    """`Phone-Signature: <unix s>.<base64url ES256 of method, path, Idempotency-Key, s, body SHA-256>`.

    Real time, within 60 s. Raises SignatureInvalid.
    """
    seconds, _, signature = (header or "").partition(".")
    if (
        not re.fullmatch(r"[0-9]{1,11}", seconds)
        or abs(int(seconds) - real_now().timestamp()) > SIGNED_WITHIN_S
    ):
        raise SignatureInvalid("Phone-Signature is missing or older than 60 s.")
    signed = f"{method}\n{path}\n{idempotency_key}\n{seconds}\n{digest}".encode()
    try:
        raw = _unb64(signature)
        der = (
            utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
            if len(raw) == 64
            else raw
        )
        public_key(key).verify(der, signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise SignatureInvalid("Phone-Signature does not fit this request and this phone's key.") from error
