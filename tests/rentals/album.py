"""Photos of Max's rental of Olga's car over HTTP; Charlie has no part in it."""

import io
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import stream_encode_multipart

from app.kit import clock
from app.kit.db import release, session
from app.kit.storage import Storage
from app.people.models import Person
from app.rentals import access, settle, unlock_answered
from app.rentals import end as ending
from app.rentals.models import Command
from app.rentals.photo_models import Photo
from app.rentals.photo_rules import Angle
from tests import factories
from tests.coverage.factories import doing
from tests.kit.asking import session_of
from tests.kit.camera import picture
from tests.rentals.scene import Scene

Parts = dict[str, Any]


@dataclass
class Album:
    """Asks as one of the cast."""

    house: Flask
    http: FlaskClient
    scene: Scene
    headers: dict[str, dict[str, str]]

    @property
    def path(self) -> str:
        return f"/v1/rentals/{self.scene.rental_id}/photos"

    @property
    def storage(self) -> Storage:
        found: Storage = self.house.extensions["glovebox"].doors.storage
        return found

    def send(self, who: str, parts: Parts, **headers: str) -> Any:
        release()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(self.path, headers={**self.headers[who], **named}, **encoded(parts))

    def add(
        self,
        who: str = "max",
        step: str = "unlock",
        angle: str = "front",
        sent: bytes | None = None,
        **headers: str,
    ) -> Any:
        side = picture(size=(64, 48 + list(Angle).index(Angle(angle))), colour="green")
        data = side if sent is None else sent
        return self.send(who, {"step": step, "angle": angle, "file": file(data)}, **headers)

    def added(
        self, who: str = "max", step: str = "unlock", angle: str = "front", sent: bytes | None = None
    ) -> Any:
        answer = self.add(who, step, angle, sent)
        assert answer.status_code == 201, answer.text
        return answer.json

    def get(self, who: str, path: str, **headers: str) -> Any:
        release()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.get(path, headers={**self.headers[who], **named})

    def listed(self, who: str) -> list[Any]:
        answer = self.get(who, self.path)
        assert answer.status_code == 200, answer.text
        found: list[Any] = answer.json["items"]
        return found

    def files(self) -> set[str]:
        """What lies in the storage of the photos of this rental, and without a row."""
        return {one.name for one in self.storage.kept()}

    def row(self, photo: str) -> Photo:
        release()
        return session.get_one(Photo, photo, populate_existing=True)


def file(data: bytes, name: str = "IMG_0001.jpg", media: str = "image/jpeg") -> FileStorage:
    return FileStorage(io.BytesIO(data), name, content_type=media)


def encoded(parts: Parts) -> dict[str, Any]:
    """As a body: the test client's own way would leave a temporary file of a large one."""
    body, _, _ = stream_encode_multipart(MultiDict(parts), use_tempfile=False, boundary="x")
    return {"data": body.read(), "content_type": "multipart/form-data; boundary=x"}


def build(house: Flask, scene: Scene) -> Album:
    people = {"olga": scene.olga.id, "charlie": factories.person("Charlie Stranger").id}
    headers = {name: session_of(session.get_one(Person, one)).headers for name, one in people.items()}
    headers["max"] = {"Authorization": f"Bearer {scene.token}"}
    return Album(house, house.test_client(), scene, headers)


def start(scene: Scene) -> None:
    """The box opens."""
    command = scene.unlock().id

    def opened() -> None:
        car, rental = access.locked(scene.rental_id)
        settle.settle(session.get_one(Command, command), "confirmed")
        unlock_answered.open_doors(car, rental, command)

    doing(opened)


def drive(scene: Scene) -> None:
    """Out for an hour, and back."""
    start(scene)
    clock.forward(timedelta(hours=1))

    def locked() -> None:
        car, rental = access.locked(scene.rental_id)
        ending.end(car, rental, by="driver", evidence="box strong")

    doing(locked)
