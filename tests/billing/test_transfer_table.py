import itertools
import re
from pathlib import Path

from app.billing.states import DECIDED, TransferState
from app.billing.transfer_table import TABLE, Row, TransferEvent, follow

ROOT = Path(__file__).parent.parent.parent


def test_no_two_rows_hold_at_once_and_each_event_has_one() -> None:
    assert {row.event for row in TABLE} == set(TransferEvent)
    for one, other in itertools.combinations(TABLE, 2):
        assert one.event is not other.event or not set(one.states) & set(other.states)


def test_every_state_is_reached_from_the_first_and_left_again() -> None:
    reached, before = {TransferState.WAITING}, set[TransferState]()
    while reached != before:
        before = set(reached)
        reached |= {row.to for row in TABLE if set(row.states) & reached}
    assert reached == set(TransferState)
    assert all(any(state in row.states and row.to is not state for row in TABLE) for state in TransferState)


def test_what_the_provider_was_asked_for_is_asked_once_until_its_answer() -> None:
    assert follow(TransferState.SETTLING, TransferEvent.SEND) is None
    assert {row.event for row in TABLE if TransferState.SETTLING in row.states} == {
        TransferEvent.STOPPED,
        TransferEvent.SENT,
        TransferEvent.NOT_SENT,
        TransferEvent.NOT_PAYABLE,
    }


def test_what_was_sent_is_sent_again_for_nothing_but_what_was_earned_again() -> None:
    assert {row.event for row in TABLE if TransferState.SETTLED in row.states} == {TransferEvent.EARNED_AGAIN}
    assert all(follow(state, TransferEvent.DISPUTED) is None for state in DECIDED)


def test_the_guide_shows_the_table() -> None:
    guide = (ROOT / "docs" / "guides" / "payouts.md").read_text("utf-8")
    shown = [line for line in guide.splitlines() if re.match(r"\| `\w+` \| [\w, ]+ \| `\w+` \|$", line)]
    wanted = [_line(row) for row in TABLE]
    assert shown == wanted, "the guide's table is to be:\n" + "\n".join(wanted)


def _line(row: Row) -> str:
    states = ", ".join(state for state in TransferState if state in row.states)
    return f"| `{row.event}` | {states} | `{row.to}` |"


def test_nothing_but_the_table_moves_a_transfer() -> None:
    writes = re.compile(r"\.state(?:, \S+)? = .*\b(?:TransferState\b|S\.[A-Z])")
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in sorted((ROOT / "app" / "billing").rglob("*.py"))
        for line in file.read_text("utf-8").splitlines()
        if writes.search(line) or re.search(r"(?:row|sent|found|transfer)\.state\b.* = state\b", line)
    ]
    assert found == ["app/billing/transfer.py: row.state, row.changed_at = state, clock.now()"]
