"""Whether the clocks run steadily: this machine's beside the database's, and what the processes have seen of late."""

from collections.abc import Iterator

from app.kit import heartbeat, ready, steady
from app.operator.finding import Finding, ok, warning

REMEDY = (
    "Unlocks wait meanwhile, by themselves. See chrony or ntpd on this machine and on the database's, and whether a machine"
    " was halted: docs/guides/running.md, When the clock was set."
)


def steadily() -> Iterator[Finding]:
    """One look of this process, and the words of those that keep looking."""
    watch = steady.watch()
    watch.look()
    found = ready.clock(heartbeat.signs())
    if found is None:
        yield ok("clocks", "run steadily, and this machine's agrees with the database's")
    else:
        yield warning("clocks", found, REMEDY)
