"""What somebody unsigned asks of an address is done by a worker: the answer takes no longer for one that is known."""

import base64
from collections.abc import Callable
from typing import Any

import orjson

from app.kit import jobs
from app.kit.db import new_id, transactional
from app.kit.jobs import job
from app.kit.keys import b64, seal, unseal
from app.people.models import COD

SEALED = "asked of an address"
_STEPS: dict[str, Callable[..., None]] = {}


def step(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register what is done later under this name. It is given the id of the code that it may issue, and may run twice."""

    def register(work: Callable[..., None]) -> Callable[..., None]:
        _STEPS[name] = work
        return work

    return register


@transactional
def ask(name: str, **values: Any) -> None:
    """Put the step off to a worker, its values sealed: addresses and password hashes lie open in no queue."""
    values = {"step": name, "code": new_id(COD), **values}
    jobs.defer("asked_of_address", sealed=b64(seal(SEALED, orjson.dumps(values))))


@job("asked_of_address")
def work(sealed: str) -> None:
    """Look the address up and do what was asked of it."""
    values = orjson.loads(unseal(SEALED, base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))))
    _STEPS[values.pop("step")](**values)
