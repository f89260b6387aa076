"""Where an insurer wants to be told of changes: its endpoints, their secrets, and what is still to be delivered.

A hint, never the only channel: the cursor of changes has everything, whatever was delivered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import structlog
from sqlalchemy import delete, select

from app.coverage.models import COV, CoverVersion
from app.coverage.versions import Changed
from app.coverage.webhook_models import WHK, Webhook, WebhookDelivery
from app.facts import (
    WebhookChanged,
)
from app.kit import clock, deadlines, facts, fetch, keys
from app.kit.clock import z
from app.kit.db import bare, new_id, session, transactional
from app.kit.deadlines import Deadline
from app.kit.errors import InUse, NotFound, Validation
from app.kit.fetch import AddressForbidden, FetchFailed
from app.kit.jobs import defer, job
from insurance import webhook

log = structlog.get_logger(__name__)
MOST = 10
"""Endpoints of one insurer."""
BOTH_SIGN = timedelta(hours=24)
AGAIN_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Nine more tries, 5 s to 24 h apart: three and a quarter days in all."""
GONE = 410
SECRET = "webhook"  # noqa: S105 - the name of a purpose


# -- endpoints ----------------------------------------------------------------------------------------------------------


def listed(insurer: str) -> list[Webhook]:
    return list(session.scalars(select(Webhook).filter_by(insurer_id=insurer).order_by(Webhook.id)))


@transactional
def add(insurer: str, *, url: str, events: list[str]) -> tuple[Webhook, str]:
    """A new endpoint and its secret, which is shown once. No events: all. Raises Validation, InUse."""
    _check(url)
    if len(listed(insurer)) >= MOST:
        raise InUse(f"There are {MOST} endpoints already: remove one.")
    secret = webhook.new_secret()
    made = Webhook(
        id=new_id(WHK),
        insurer_id=insurer,
        url=url,
        events=sorted(set(events)),
        state="enabled",
        secret=keys.seal(SECRET, secret.encode()),
        made_at=clock.now(),
    )
    session.add(made)
    _changed(made, "added")
    return made, secret


def _check(url: str) -> None:
    try:
        fetch.check_url(url, local=keys.settings().clock_may_move)
    except AddressForbidden as error:
        raise Validation(errors=[{"pointer": "/url", "code": "invalid", "detail": str(error)}]) from error


@transactional
def change(insurer: str, webhook_id: str, values: Mapping[str, Any]) -> Webhook:
    """Another address, other events, enabled again, or disabled, which forgets what waits. Raises NotFound, Validation."""
    found = _of(insurer, webhook_id)
    if "url" in values:
        _check(values["url"])
    for name in ("url", "events", "state"):
        if name in values:
            setattr(found, name, values[name])
    if found.state == "disabled":
        _forget(found)
    _changed(found, found.state)
    return found


@transactional
def remove(insurer: str, webhook_id: str) -> None:
    """Nothing more is sent there. Raises NotFound."""
    found = _of(insurer, webhook_id)
    _forget(found)
    _changed(found, "removed")
    session.delete(found)


@transactional
def rotate(insurer: str, webhook_id: str) -> tuple[Webhook, str]:
    """A new secret, shown once; the one before signs beside it for a day. Raises NotFound."""
    found = _of(insurer, webhook_id)
    secret = webhook.new_secret()
    found.old_secret, found.old_until = found.secret, clock.now() + BOTH_SIGN
    found.secret = keys.seal(SECRET, secret.encode())
    _changed(found, "rotated")
    return found, secret


def _of(insurer: str, webhook_id: str) -> Webhook:
    found = _locked(webhook_id)
    if found is None or found.insurer_id != insurer:
        raise NotFound
    return found


def _changed(found: Webhook, what: str) -> None:
    session.flush()
    facts.record(WebhookChanged(insurer=found.insurer_id, webhook=found.id, what=what))


def _forget(found: Webhook) -> None:
    """What waits for the endpoint, and the tries that were to come."""
    session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == found.id))
    session.execute(
        delete(Deadline).where(Deadline.kind == "webhook", Deadline.ref.startswith(found.id, autoescape=True))
    )


# -- delivery -----------------------------------------------------------------------------------------------------------


def tell(fact: Changed) -> None:
    """Reaction to every change of a cover: each endpoint that wants it is to have it."""
    change = session.get_one(CoverVersion, (fact.cover, fact.version))
    for one in listed(change.insurer_id):
        wanted = one.state == "enabled" and (not one.events or change.kind in one.events)
        if wanted and session.get(WebhookDelivery, (one.id, change.fact_seq)) is None:
            session.add(WebhookDelivery(webhook_id=one.id, fact_seq=change.fact_seq, tries=0))
            _soon(one.id, change.fact_seq)


def _soon(webhook_id: str, seq: int) -> None:
    """Tries of one endpoint go one after the other: a slow one holds up itself alone."""
    defer("deliver_webhook", lock=f"webhook.{webhook_id}", webhook=webhook_id, seq=seq)


def due(ref: str) -> None:
    """Deadline "webhook": the next try."""
    webhook_id, _, seq = ref.partition(" ")
    _soon(webhook_id, int(seq))


@job("deliver_webhook")
def deliver_webhook(webhook: str, seq: int) -> None:
    """One try, outside any transaction; what came of it decides about the next."""
    one = _next(webhook, seq)
    if one is None:
        return
    try:
        status = _post(one)
    except FetchFailed as error:
        _missed(webhook, seq, error)
    else:
        _taken(webhook, seq, status)


@dataclass(frozen=True, slots=True)
class _Try:
    url: str
    body: str
    message: str
    secrets: tuple[str, ...]


@transactional
def _next(webhook_id: str, seq: int) -> _Try | None:
    """None where it was taken or forgotten meanwhile."""
    found = session.get(Webhook, webhook_id, populate_existing=True)
    waiting = session.get(WebhookDelivery, (webhook_id, seq), populate_existing=True)
    if found is None or waiting is None:
        return None
    change = session.scalars(select(CoverVersion).filter_by(fact_seq=seq)).one()
    sealed = [found.secret]
    if found.old_secret and found.old_until and found.old_until > clock.now():
        sealed.append(found.old_secret)
    data = {"cover": change.cover_id, "version": change.version}
    body = orjson.dumps({"type": change.kind, "timestamp": z(change.recorded_at), "data": data}).decode()
    return _Try(
        found.url,
        body,
        f"chg_{bare(change.cover_id, COV).hex}_{change.version}",
        tuple(keys.unseal(SECRET, one).decode() for one in sealed),
    )


def _post(one: _Try) -> int:
    """A message is signed for the moment it is sent, by the machine's own clock."""
    headers = webhook.headers(one.message, clock.real_now(), one.body, signed_by=one.secrets)
    return fetch.post(one.url, one.body.encode(), headers, local=keys.settings().clock_may_move)


@transactional
def _taken(webhook_id: str, seq: int, status: int) -> None:
    found = _locked(webhook_id)
    if found is not None:
        found.last_success_at, found.last_status = clock.now(), str(status)
    session.execute(delete(WebhookDelivery).filter_by(webhook_id=webhook_id, fact_seq=seq))


@transactional
def _missed(webhook_id: str, seq: int, error: FetchFailed) -> None:
    """Again later, unless the endpoint is gone or that was the last try: then it is disabled."""
    found = _locked(webhook_id)
    waiting = session.get(WebhookDelivery, (webhook_id, seq), populate_existing=True)
    if found is None or waiting is None:
        return
    waiting.tries += 1
    found.last_status = str(error)[:200]
    if error.status == GONE or waiting.tries > len(AGAIN_S):
        found.state = "disabled"
        _forget(found)
        _changed(found, "disabled")
        log.warning("an insurer's endpoint was disabled", webhook=found.id, came=found.last_status)
    else:
        later = timedelta(seconds=AGAIN_S[waiting.tries - 1])
        deadlines.at("webhook", f"{webhook_id} {seq}", clock.now() + later)


def _locked(webhook_id: str) -> Webhook | None:
    found: Webhook | None = session.get(Webhook, webhook_id, with_for_update=True, populate_existing=True)
    return found
