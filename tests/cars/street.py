"""A car at the API without boxlink: the broker takes an account when the test says so, or never."""

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from app.cars import box as boxes
from app.doors import Doors
from app.factory import create_app
from insurance.partners import partners_of

BOX = {"kind": "simulator", "has_immobiliser": True, "key_sensor": True, "config": {"pin": "4711"}}


def impatient(house: Flask) -> Flask:
    """The app on the same database, with no place to wait in: a broker that is slow is too slow at once."""
    settings = dataclasses.replace(house.extensions["glovebox"].settings, waiters=0)
    return create_app(settings, Doors(insurers=partners_of([]), payments=None, push=None, mail=None))


@contextmanager
def broker(house: Flask) -> Iterator[None]:
    """While this lasts every account is taken, as boxlink reports it."""
    gone = threading.Event()

    def take() -> None:
        while not gone.wait(0.02):
            with house.app_context():
                boxes.mark_loaded(boxes.accounts())

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        gone.set()
        thread.join()
