"""The due-runner: works off deadlines in business time, each second and when the clock moves; each in its transaction."""

import itertools
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from flask import Flask
from sqlalchemy import text

from app.account import forget as erased
from app.billing import (
    deposit,
    dispute_evidence,
    hold,
    reconcile,
    refused_refund,
    refused_step,
    tax_reminder,
    transfer,
)
from app.cars import alerts, calendar_imports, hourly, reachability, readings, windows
from app.claims import close as charge_requests
from app.communities import invite
from app.coverage import bordereaux, log_head, webhooks
from app.kit import clock, steady
from app.kit.db import release, session, transactional
from app.kit.leader import lead
from app.messages import deliver, digest, fall_back, gather
from app.people import tidy
from app.rentals import (
    abandoned,
    charge_watch,
    close,
    expire,
    extend,
    forget_photos,
    freed,
    grants_out,
    offline_receipts,
    owe_premium,
    reviews,
    start_check,
)

log = structlog.get_logger(__name__)
LEADER, BATCH, WORST_WAIT_S = 7006, 100, 300
TIDY_EVERY = 3600
"""Rounds of a second or so."""
Step = Callable[[str], None]
TABLE: Mapping[str, Step] = {
    "invitation_reminder": invite.remind,
    "offer": windows.refresh,
    "calendar_import": calendar_imports.due,
    "lapse": expire.lapse,
    "about_to_start": expire.remind,
    "start_check": start_check.early,
    "start_check_again": start_check.late,
    "unconfirmed": start_check.unconfirmed,
    "charge_watch": charge_watch.watch,
    "door_open": alerts.door_left_open,
    "alert_owner": alerts.tell_owner,
    "no_show": expire.no_show,
    "late": expire.late,
    "settle": expire.settle,
    "reviews": reviews.due,
    "freed": freed.offer,
    "wait_look": freed.look,
    "wait_answer": freed.over,
    "wait_over": freed.over,
    "extension": extend.lapse,
    "hand_back": close.hand_back,
    "grant": grants_out.lapse,
    "receipts": offline_receipts.due,
    "hold": hold.due_hold,
    "hold_failed": hold.due_hold_failed,
    "hold_renew": hold.due_renewal,
    "dunning": hold.due_dunning,
    "step_again": refused_step.due,
    "refund_again": refused_refund.due,
    "deposit": deposit.due,
    "transfer": transfer.due,
    "evidence": dispute_evidence.due,
    "charge_answer": charge_requests.answer_window_over,
    "charge_appeal": charge_requests.appeal_window_over,
    "reconcile": reconcile.due,
    "log_head": log_head.due,
    "bordereaux": bordereaux.due,
    "webhook": webhooks.due,
    "tax_reminder": tax_reminder.due,
    "deliver": deliver.due,
    "digest": digest.due,
    "mail_after": fall_back.due,
    "gather": gather.due,
}
LAST = ["digest", "gather", "tax_reminder"]
"""Thousands of these may be due at one hour, and none is in a hurry: they are taken when nothing else is due."""
_DUE = text(
    "select kind, ref, due_at from deadlines where due_at <= (select business_now())"
    " and (not_before is null or not_before <= clock_timestamp()) order by kind = any(:last), due_at limit :batch"
)
_MINE = text("select pg_try_advisory_xact_lock(hashtextextended(:kind || :ref, 7008))")
_STILL = text("select xmin::text from deadlines where kind = :kind and ref = :ref and due_at = :due_at")
_DONE = text(
    "delete from deadlines where kind = :kind and ref = :ref and due_at = :due_at and xmin::text = :version"
)
"""Not one that was set anew meanwhile, though for the same instant."""
_LATER = text(
    "update deadlines set attempts = attempts + 1,"
    " not_before = clock_timestamp() + make_interval(secs => least(:worst, power(2, least(attempts, 10))))"
    " where kind = :kind and ref = :ref"
)


def work_off() -> int:
    """Take every step that is due; returns how many were looked at. A step that fails is tried again, later each time."""
    rows = session.execute(_DUE, {"batch": BATCH, "last": LAST}).all()
    release()
    for row in rows:
        try:
            _take(row.kind, row.ref, row.due_at)
        except Exception as error:
            log.exception("a deadline failed", kind=row.kind, ref=row.ref, error=repr(error))
            _later(row.kind, row.ref)
    return len(rows)


def work_off_steadily(stop: threading.Event) -> None:
    """Until nothing is due. By a clock that was just set nothing is: what is done an hour early cannot be taken back."""
    while steady.watch().steady and work_off() == BATCH and not stop.is_set():
        abandoned.settle()


@transactional
def _take(kind: str, ref: str, due_at: datetime) -> None:
    """The step and the end of its deadline, unless the deadline moved meanwhile; the step may set it anew.

    A due-runner that was cut off and has not seen it may still be at work: each deadline is taken by one.
    """
    parameters = {"kind": kind, "ref": ref, "due_at": due_at}
    mine = session.execute(_MINE, {"kind": kind, "ref": ref}).scalar_one()
    version = session.execute(_STILL, parameters).scalar() if mine else None
    if version is None:
        return
    TABLE[kind](ref)
    session.execute(_DONE, {**parameters, "version": version})


@transactional
def _later(kind: str, ref: str) -> None:
    """Unless another due-runner is at it by now, which sees to it itself."""
    whose = {"kind": kind, "ref": ref}
    if session.execute(_MINE, whose).scalar_one():
        session.execute(_LATER, {**whose, "worst": WORST_WAIT_S})


@transactional
def sweep() -> None:
    """What has no deadline of its own: boxes unheard, answers and counts past their time."""
    readings.tell_offline()
    old = clock.real_now()
    session.execute(text("delete from idempotency_keys where stored_at < :t"), {"t": old - timedelta(days=7)})
    session.execute(text("delete from rate_counts where period_start < :t"), {"t": old - timedelta(days=1)})


@transactional
def forget() -> None:
    """What is kept of cars for trend and forecast, past its 60 days; photos, past theirs."""
    hourly.forget()
    reachability.forget()
    forget_photos.due()
    erased.forget()


def run(app: Flask, stop: threading.Event) -> None:
    """Work deadlines off until stopped, while this process leads."""
    rounds = itertools.count()

    def work() -> None:
        work_off_steadily(stop)
        abandoned.settle()
        number = next(rounds)
        if number % 10 == 0:
            sweep()
        if number % TIDY_EVERY == 0:
            tidy.tidy()
            forget()
            owe_premium.sweep()

    with app.app_context():
        lead(LEADER, "deadlines", 1.0, stop, work)
