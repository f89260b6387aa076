"""How the doors to the outside have gone lately, read from what their jobs and deliveries have left behind."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from flask import current_app
from sqlalchemy import text

from app.doors import Doors
from app.kit.driver import read
from app.kit.heartbeat import FINE

JOBS = {
    "payment_command": "payments",
    "payment_fee": "payments",
    "payments_reconcile": "payments",
    "card_setup": "payments",
    "card_detach": "payments",
    "stripe_event": "payments",
    "owner_command": "payments",
    "payout_account": "payments",
    "dispute_evidence": "payments",
    "report_cover": "insurer",
    "confirm_cover": "insurer",
    "deliver": "mail",
    "digest": "mail",
}
"""Which door a job knocks at; pushes wait in their own rows."""
NEWEST, NOT_SET_UP = 200, "not set up"
_TRIED = text(
    "select j.task_name as what, count(*) as tries, extract(epoch from now() - (select min(e.at) from procrastinate_events e"
    " where e.job_id = min(j.id) and e.type = 'deferred_for_retry')) as since from procrastinate_jobs j"
    " where j.status in ('todo', 'doing') and j.attempts > 0 group by j.task_name"
)
_PUSHED = text(
    # one that nobody has taken though it could be, or that the service did not take; in hand it has no reason yet
    "select count(*) as tries, extract(epoch from now() - min(coalesce(tried_since, try_at))) as since"
    " from deliveries where try_at is not null and (reason is not null or try_at < now() - interval '15 s')"
)
_FAILED = text(
    "select task as what, count(*) as tries from failed_jobs where failed_at > now() - interval '10 min' group by task"
)
_LAST = text(
    "select distinct on (channel) channel, state, reason from"
    " (select id, channel, state, reason from deliveries order by id desc limit :newest) d"
    " where state in ('sent', 'failed') order by channel, id desc"
)


@dataclass(slots=True)
class Trouble:
    """What went wrong at one door and is not over."""

    waiting: int = 0
    since: float = 0
    failed: int = 0
    last: str = ""

    def words(self) -> str | None:
        if self.waiting:
            return f"{self.waiting} tried in vain for {self.since:.0f} s, and tried again"
        if self.failed:
            return f"{self.failed} failed for good in the last 10 min"
        return f"the last one failed: {self.last}" if self.last else None


def seen() -> dict[str, str]:
    """Each door: `ok`, `not set up`, or what goes wrong, in words."""
    troubles = _troubles()
    return {
        name: (troubles[name].words() or FINE) if is_open else NOT_SET_UP for name, is_open in _open_doors()
    }


def _open_doors() -> Iterator[tuple[str, bool]]:
    doors: Doors = current_app.extensions["glovebox"].doors
    yield "payments", doors.payments is not None
    yield "push", doors.push is not None
    yield "mail", doors.mail is not None
    yield "insurer", bool(doors.insurers.each())


def _troubles() -> defaultdict[str, Trouble]:
    found: defaultdict[str, Trouble] = defaultdict(Trouble)
    for row in read(_TRIED):
        one = found[JOBS.get(row.what, row.what)]
        one.waiting, one.since = one.waiting + row.tries, max(one.since, float(row.since or 0))
    pushed = read(_PUSHED)[0]
    found["push"].waiting, found["push"].since = pushed.tries, float(pushed.since or 0)
    for row in read(_FAILED):
        found[JOBS.get(row.what, row.what)].failed += row.tries
    for row in read(_LAST, {"newest": NEWEST}):
        if row.state == "failed":
            found[row.channel].last = row.reason or "no reason"
    return found
