"""Where an insurer wants to be told of changes: its endpoints, their secrets, and what is still to be delivered.

A hint, never the only channel: the cursor of changes has everything, whatever was delivered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from sqlalchemy import select, text

from app.coverage.webhook_models import WHK, Webhook
from app.facts import (
    CoverActivated,
    CoverBound,
    CoverClosed,
    CoverExtended,
    CoverOverrun,
    CoverVoided,
    WebhookChanged,
)
from app.kit import clock, deadlines, facts, keys
from app.kit.clock import z
from app.kit.db import new_id, session, transactional
from app.kit.errors import InUse, NotFound, Validation
from app.kit.jobs import defer, job
from insurance import webhook
from insurance.webhook import EndpointForbidden, WebhookFailed

log = structlog.get_logger(__name__)
MOST = 10
"""Endpoints of one insurer."""
BOTH_SIGN = timedelta(hours=24)
AGAIN_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Nine more tries, 5 s to 24 h apart: three and a quarter days in all."""
GONE = 410
SECRET = "webhook"  # noqa: S105 - the name of a purpose
Changed = CoverBound | CoverActivated | CoverExtended | CoverOverrun | CoverClosed | CoverVoided
_WAITING = text(
    "insert into webhook_deliveries (webhook_id, fact_seq, kind, cover_id, version, recorded_at, tries)"
    " select w.id, x.fact_seq, x.kind, x.cover_id, x.version, x.recorded_at, 0 from cover_versions x"
    " join webhooks w on w.insurer_id = x.insurer_id and w.state = 'enabled'"
    " and (w.events = '[]'::jsonb or w.events ? x.kind)"
    " where x.cover_id = :cover and x.version = :version on conflict do nothing"
    " returning webhook_id::text as webhook, fact_seq"
)
_DELIVERY = text(
    "select d.*, w.url, w.secret, w.old_secret, w.old_until from webhook_deliveries d join webhooks w on w.id = d.webhook_id"
    " where d.webhook_id = cast(:webhook as uuid) and d.fact_seq = :seq and w.state = 'enabled'"
)


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
        webhook.check_url(url, local=keys.settings().clock_may_move)
    except EndpointForbidden as error:
        raise Validation(errors=[{"pointer": "/url", "code": "invalid", "detail": str(error)}]) from error


@transactional
def change(insurer: str, webhook_id: str, values: Mapping[str, Any]) -> Webhook:
    """Another address, other events, or enabled again. Raises NotFound, Validation."""
    found = _of(insurer, webhook_id)
    if "url" in values:
        _check(values["url"])
    for name in ("url", "events", "state"):
        if name in values:
            setattr(found, name, values[name])
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
    found: Webhook | None = session.get(Webhook, webhook_id, with_for_update=True, populate_existing=True)
    if found is None or found.insurer_id != insurer:
        raise NotFound
    return found


def _changed(found: Webhook, what: str) -> None:
    session.flush()
    facts.record(WebhookChanged(insurer=found.insurer_id, webhook=found.id, what=what))


def _forget(found: Webhook) -> None:
    session.execute(
        text("delete from webhook_deliveries where webhook_id = cast(:id as uuid)"),
        {"id": found.id.split("_")[1]},
    )


# -- delivery -----------------------------------------------------------------------------------------------------------


def tell(fact: Changed) -> None:
    """Reaction to every change of a cover: each endpoint that wants it is to have it."""
    for row in session.execute(_WAITING, {"cover": fact.cover.split("_")[1], "version": fact.version}):
        _soon(row.webhook, row.fact_seq)


def _soon(webhook_id: str, seq: int) -> None:
    """Tries of one endpoint go one after the other: a slow one holds up itself alone."""
    defer("deliver_webhook", lock=f"webhook.{webhook_id}", webhook=webhook_id, seq=seq)


def due(ref: str) -> None:
    """Deadline "webhook": the next try."""
    webhook_id, _, seq = ref.partition(" ")
    _soon(webhook_id, int(seq))


@dataclass(frozen=True, slots=True)
class _Try:
    url: str
    body: str
    message: str
    secrets: tuple[str, ...]


@job("deliver_webhook")
def deliver_webhook(webhook: str, seq: int) -> None:
    """One try, outside any transaction; what came of it decides about the next."""
    one = _next(webhook, seq)
    if one is not None:
        _settle(webhook, seq, *_posted(one))


def _posted(one: _Try) -> tuple[bool, str]:
    """Whether it arrived, and what came; a message is signed for the moment it is sent, by the machine's own clock."""
    try:
        status = webhook.post(
            one.url,
            one.body,
            message=one.message,
            at=clock.real_now(),
            signed_by=one.secrets,
            local=keys.settings().clock_may_move,
        )
    except WebhookFailed as error:
        return False, str(error.status or error)
    except EndpointForbidden as error:
        return False, str(error)
    return True, str(status)


@transactional
def _next(webhook_id: str, seq: int) -> _Try | None:
    row = session.execute(_DELIVERY, {"webhook": webhook_id, "seq": seq}).first()
    if row is None:
        return None
    sealed = [row.secret, *([row.old_secret] if row.old_until and row.old_until > clock.now() else [])]
    data = {"cover": f"cov_{row.cover_id.hex}", "version": row.version}
    body = orjson.dumps({"type": row.kind, "timestamp": z(row.recorded_at), "data": data}).decode()
    return _Try(
        row.url,
        body,
        f"chg_{row.cover_id.hex}_{row.version}",
        tuple(keys.unseal(SECRET, bytes(one)).decode() for one in sealed),
    )


@transactional
def _settle(webhook_id: str, seq: int, arrived: bool, came: str) -> None:  # noqa: FBT001 - what _posted says
    found: Webhook | None = session.get(Webhook, f"{WHK}_{webhook_id.replace('-', '')}", with_for_update=True)
    if found is None:
        return
    now, which = clock.now(), {"webhook": webhook_id, "seq": seq}
    found.last_status = came[:200]
    if arrived:
        found.last_success_at = now
        session.execute(_DONE, which)
        return
    tries: int = session.execute(_TRIED, which).scalar_one()
    if came == str(GONE) or tries > len(AGAIN_S):
        found.state = "disabled"
        _forget(found)
        _changed(found, "disabled")
        log.warning("an insurer's endpoint was disabled", webhook=found.id, came=came)
        return
    _again(f"{webhook_id} {seq}", now, tries)


def _again(ref: str, now: datetime, tries: int) -> None:
    deadlines.at("webhook", ref, now + timedelta(seconds=AGAIN_S[tries - 1]))


_DONE = text("delete from webhook_deliveries where webhook_id = cast(:webhook as uuid) and fact_seq = :seq")
_TRIED = text(
    "update webhook_deliveries set tries = tries + 1 where webhook_id = cast(:webhook as uuid) and fact_seq = :seq"
    " returning tries"
)
