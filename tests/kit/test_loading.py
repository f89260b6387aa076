"""A process that has loaded is cleared up after, and what it loaded is passed over."""

import os
import subprocess
import sys

from app.supervisor import ROOT

SAYS = "import gc, wsgi; print(gc.isenabled(), gc.get_freeze_count() > 100_000)"


def test_the_collector_is_at_work_once_all_is_loaded() -> None:
    """Also at a command line without settings, where the app can only say what is missing."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("GLOVEBOX_")}
    told = subprocess.run(
        [sys.executable, "-c", SAYS],
        cwd=ROOT,
        env={**bare, "FLASK_RUN_FROM_CLI": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["True", "True"]
