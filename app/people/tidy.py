"""What nobody can use any more is deleted: codes, refresh tokens, sessions, where pushes to silent phones went."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, TextClause, text

from app.kit.clock import real_now
from app.kit.db import session, transactional
from app.people.session_tokens import REFRESH_FOR

BATCH = 5000
CODES_FOR, REGISTRATIONS_FOR = timedelta(days=1), timedelta(days=7)
SILENT_FOR = timedelta(days=60)
"""An app that has not asked for new tokens for so long is not on that phone any more."""
_CODES = text(
    # the notice of a change of address is told from the code's row
    "delete from email_codes where id in (select id from email_codes where purpose <> 'change'"
    " and made_at < (case when registration is null then cast(:codes as timestamptz) else :registrations end)"
    " limit :batch)"
)
_TOKENS = text(
    # a used token stays as long as it could have lived: until then its reuse ends the session
    "delete from refresh_tokens where id in (select id from refresh_tokens where expires_at < :now limit :batch)"
)
_SESSIONS = text(
    # the newest stays: without any, the next sign-in would pass for the very first, which is no news
    "delete from sessions where id in (select s.id from sessions s"
    " where least(s.seen_at, s.revoked_at) < :ended"
    " and not exists (select 1 from refresh_tokens t where t.session_id = s.id)"
    " and exists (select 1 from sessions n where n.person_id = s.person_id and n.id > s.id)"
    " limit :batch)"
)
_SILENT = text(
    "update phones set push = null where id in (select id from phones where push is not null and seen_at < :silent"
    " limit :batch)"
)


def tidy() -> None:
    """Delete in short batches until nothing is left to delete."""
    now = real_now()
    codes = {"codes": now - CODES_FOR, "registrations": now - REGISTRATIONS_FOR}
    while _delete(_CODES, codes):
        pass
    while _delete(_TOKENS, {"now": now}):
        pass
    while _delete(_SESSIONS, {"ended": now - REFRESH_FOR}):
        pass
    while _delete(_SILENT, {"silent": now - SILENT_FOR}):
        pass


@transactional
def _delete(statement: TextClause, values: dict[str, datetime]) -> bool:
    """Whether there may be more."""
    result = session.execute(statement, {**values, "batch": BATCH})
    return cast("CursorResult[Any]", result).rowcount == BATCH
