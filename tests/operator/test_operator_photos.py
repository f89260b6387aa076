"""Photos as operators see them: to decide a charge request, and on record."""

from flask import Flask

from tests.operator.operators_desk import Desk
from tests.rentals.album import build
from tests.rentals.scene import make


def test_an_operator_sees_the_photos_of_a_rental_and_that_is_kept(app: Flask, op: Desk) -> None:
    album = build(app, make())
    made = album.added()
    (seen,) = op.get(f"/rentals/{album.scene.rental_id}/photos")["items"]
    assert {**seen, "url": None} == {**made, "url": None}
    file = op.call("GET", seen["url"].removeprefix("/v1/operator"))
    assert (file.status_code, file.content_type, len(file.data)) == (200, "image/jpeg", made["bytes"])
    assert [one[1:3] for one in op.acts()[:2]] == [
        ("look at photo", made["id"]),
        ("look at photos", album.scene.rental_id),
    ]


def test_nobody_else_sees_them_there(app: Flask, stranger: Desk) -> None:
    album = build(app, make())
    made = album.added()
    for path in (f"/rentals/{album.scene.rental_id}/photos", f"/photos/{made['id']}/file"):
        assert stranger.call("GET", path).status_code == 403
