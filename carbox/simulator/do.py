"""`python -m carbox.simulator do NAME VERB [value ...]`: a hand on the boxes of a running simulator."""

import argparse
import json
import sys
from typing import Any, Final

from carbox.simulator.faults import FAULTS
from carbox.simulator.process import ControlRefused, Simulator
from carbox.simulator.verbs import VERBS

CONTROL_PORT: Final = 8765
"""Where `make simulate` listens; other simulators tell theirs in their ready line."""
LOOKS: Final = {"state": "the car as it truly is", "log": "every command that reached the box"}


def main(words: list[str]) -> int:
    asked = arguments(words)
    simulator = Simulator(asked.control_port)
    try:
        if asked.verb in LOOKS:
            answer = simulator.call("GET", f"boxes/{asked.name}/{asked.verb}")
        else:
            state = simulator.move(asked.name, asked.verb, **values(asked.verb, asked.value))
            answer = {name: state[name] for name in ("connected", "line", "fault", "car")}
    except (ControlRefused, OSError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(json.dumps(answer, indent=1) + "\n")
    return 0


def values(verb: str, given: list[str]) -> dict[str, Any]:
    """`km=12 minutes=20`, or without names in the order of the help: `12 20`."""
    names = [name.split("=")[0] for name in VERBS[verb].takes.split()]
    body = {}
    for number, word in enumerate(given):
        name, named, value = word.partition("=")
        body[name if named else names[number]] = value if named else word
    return body


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="carbox.simulator do",
        description="Move a simulated car, or spoil its box",
        epilog=listed(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="the box's username")
    parser.add_argument("verb", choices=[*VERBS, *LOOKS], metavar="verb", help="see below")
    parser.add_argument("value", nargs="*", help="name=value, or values in the order below")
    parser.add_argument("--control-port", type=int, default=CONTROL_PORT, help=f"default {CONTROL_PORT}")
    asked = parser.parse_intermixed_args(words)
    known = VERBS.get(asked.verb)
    if len([value for value in asked.value if "=" not in value]) > len(known.takes.split() if known else ()):
        parser.error(f"{asked.verb} takes {(known.takes if known else '') or 'nothing'}")
    return asked


def listed() -> str:
    """Every verb with its values and its sentence, and every fault."""
    lines = [f"  {name} {verb.takes}".ljust(48) + verb.says for name, verb in VERBS.items()]
    lines += [f"  {name}".ljust(48) + says for name, says in LOOKS.items()]
    faults = [f"  {kind}".ljust(48) + says for kind, says in FAULTS.items()]
    return "\n".join(["verbs:", *lines, "", "kinds of fault:", *faults])
