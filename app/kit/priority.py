"""How urgent a process is beside the others of its machine."""

import contextlib
import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""Linux shares the processors between sessions first: within its own alone a process's niceness would say nothing."""


def give_way(by: int) -> None:
    """Run only with what other processes leave over, the more so the higher `by` is (0 to 19, as `nice` has it)."""
    os.nice(by)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            AUTOGROUP.write_text(str(by))
