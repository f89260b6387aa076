import re
from pathlib import Path

import carbox
from carbox.simulator.faults import FAULTS
from carbox.simulator.profiles import PROFILES
from carbox.simulator.verbs import VERBS

GUIDE = Path(carbox.__file__).parents[1] / "docs" / "guides" / "simulator.md"


def listed(heading: str) -> list[str]:
    """The words in the first column of the table under a heading."""
    part = GUIDE.read_text("utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return [word for row in rows for word in re.findall(r"`(\w+)`", row)]


def test_the_guide_lists_every_verb_every_fault_and_every_car() -> None:
    assert listed("Verbs") == list(VERBS)
    assert listed("Faults") == list(FAULTS)
    assert listed("Cars") == list(PROFILES)
