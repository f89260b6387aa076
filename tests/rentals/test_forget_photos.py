"""How long photos are kept, for whom they are kept longer, and what is swept away."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from app.billing import dispute_of
from app.claims import photos as claimed
from app.kit import clock, installation
from app.kit.clock import real_now
from app.kit.db import new_id, session
from app.kit.storage import FolderStorage
from app.operator import act_on_photos
from app.people.models import Person
from app.rentals import forget_photos
from app.rentals.add_photo import lay_down
from app.rentals.forget_photos import KEPT_FOR, sweep
from app.rentals.photo_models import file_of
from app.rentals.photo_place import MARK
from app.rentals.photo_rules import Angle, At
from tests.kit.camera import picture
from tests.rentals.album import Album, build, drive
from tests.rentals.scene import Scene
from tests.rentals.test_damages import Register

DAY = timedelta(days=1)


@pytest.fixture
def album(app: Flask, scene: Scene) -> Album:
    """A photo of both sides, of a rental that is over."""
    made = build(app, scene)
    made.added()
    drive(scene)
    made.added("olga", "damage", sent=picture(colour="blue"))
    return made


@pytest.fixture
def folder(album: Album, tmp_path: Path) -> Iterator[Path]:
    """Where the photos lie, for this test alone."""
    house = album.house.extensions["glovebox"]
    kept, elsewhere = house.doors, tmp_path / "photos"
    house.doors = replace(kept, storage=FolderStorage(elsewhere))
    album.added(step="damage", angle="left", sent=picture(colour="red"))
    yield elsewhere
    house.doors = kept


def ended(album: Album, ago: timedelta) -> None:
    """As if the rental had ended so long ago."""
    album.scene.rental.ended_at = clock.now() - ago
    session.commit()


def forget() -> None:
    session.rollback()
    forget_photos.forget_photos()
    session.rollback()


def left(album: Album) -> list[str]:
    """Who added the photos that are there; each has its picture, and no other of theirs lies about."""
    found = album.listed("olga")
    assert all(album.get("olga", one["url"]).status_code == 200 for one in found)
    return [one["by"] for one in found]


def test_they_are_kept_for_400_days_after_the_end(album: Album) -> None:
    rows = [album.row(one["id"]).file for one in album.listed("max")]
    ended(album, KEPT_FOR - DAY)
    forget()
    assert left(album) == ["owner", "driver"]
    ended(album, KEPT_FOR)
    forget()
    assert left(album) == []
    assert not album.files() & set(rows)


def test_what_an_erased_person_added_goes_at_once_and_the_other_sides_stays(album: Album) -> None:
    (driver,) = [album.row(one["id"]).file for one in album.listed("max") if one["by"] == "driver"]
    session.get_one(Person, album.scene.max.id).erased_at = clock.now()
    session.commit()
    forget()
    assert left(album) == ["owner"]
    assert driver not in album.files()


@pytest.fixture
def hold() -> Iterator[Callable[[bool], None]]:
    """Somebody needs the photos longer, or not."""
    kept = list(forget_photos.HELD)

    def held(needed: bool) -> None:  # noqa: FBT001
        forget_photos.HELD[:] = [*kept, lambda _: needed]

    yield held
    forget_photos.HELD[:] = kept


def test_while_somebody_needs_them_neither_time_nor_erasure_takes_them(
    album: Album, hold: Callable[[bool], None]
) -> None:
    hold(True)
    session.get_one(Person, album.scene.max.id).erased_at = clock.now()
    session.commit()
    ended(album, KEPT_FOR)
    forget()
    assert left(album) == ["owner", "driver"]
    hold(False)
    forget()
    assert left(album) == []


@pytest.mark.parametrize("added_later", [False, True])
def test_what_an_open_damage_shows_stays_whoever_wrote_it_down_and_whenever_it_was_added(
    album: Album,
    added_later: bool,  # noqa: FBT001
) -> None:
    register = Register(album.house, album.scene)
    (blue,) = [one["id"] for one in album.listed("olga") if one["by"] == "owner"]
    made = register.report(album.scene.olga, photos=[] if added_later else [blue])
    if added_later:
        register.change(album.scene.olga, made["id"], {"photos": [blue]})
    ended(album, KEPT_FOR)
    forget()
    shown = f"/{made['id']}/photos/{blue}/file"
    assert register.ask(album.scene.max, "GET", shown).status_code == 200
    register.change(album.scene.olga, made["id"], {"state": "repaired"})
    forget()
    assert left(album) == []


def test_banks_and_hearings_may_need_them() -> None:
    assert {dispute_of.undecided, claimed.needed} <= set(forget_photos.HELD)


# -- pictures without a row ------------------------------------------------------------------------------------------


def test_a_picture_whose_upload_was_cut_off_is_swept_after_a_day(album: Album) -> None:
    before = album.files()
    laid = lay_down(album.scene.max.id, album.scene.rental_id, At.LOCK, Angle.BACK, picture(colour="white"))
    assert laid is not None
    orphan = file_of(laid.sha256, laid.id)
    assert album.files() == {*before, orphan}
    forget()
    assert album.files() == {*before, orphan}
    assert sweep(album.storage, real_now() + DAY) >= 1
    assert orphan not in album.files()
    assert left(album) == ["owner", "driver"]


def test_what_is_not_ours_in_that_place_stays(album: Album) -> None:
    album.storage.put("backup/monday", b"x")
    sweep(album.storage, real_now() + DAY)
    assert "backup/monday" in album.files()
    album.storage.delete("backup/monday")


def test_a_picture_that_was_never_wholly_written_is_swept_after_a_day(album: Album, folder: Path) -> None:
    (name,) = album.files() - {MARK}
    whole = folder / name
    old, young = (whole.with_name(f".{whole.name}.0000000{n}") for n in (1, 2))
    for half in (old, young):
        half.write_bytes(b"half")
    os.utime(old, (0, 0))
    forget()
    assert (old.exists(), young.exists()) == (False, True)
    young.unlink()


@pytest.mark.parametrize("mark", [b"0197b1c0-0000-7000-8000-000000000000", b"", None])
def test_a_place_that_is_not_marked_as_ours_is_not_swept_until_it_is_taken(
    album: Album, folder: Path, mark: bytes | None
) -> None:
    anothers = file_of("ab" * 32, new_id("pic"))
    album.storage.put(anothers, b"x")
    os.utime(folder / anothers, (0, 0))
    place = folder / MARK
    place.unlink()
    if mark is not None:
        place.write_bytes(mark)
    forget()
    assert anothers in album.files()
    act_on_photos.take_place(by="command line", reason="it was copied")
    forget()
    assert anothers not in album.files()


def test_nothing_is_laid_into_anothers_place_since_they_would_sweep_it(album: Album, folder: Path) -> None:
    before = album.files()
    (folder / MARK).unlink()
    (folder / MARK).write_bytes(b"another installation")
    refused = album.add(step="damage", angle="right", sent=picture(colour="white"))
    assert (refused.status_code, refused.json["type"]) == (503, "/problems/unavailable")
    assert album.files() == before


def test_the_first_photo_takes_an_empty_place(album: Album, folder: Path) -> None:
    del album
    assert (folder / MARK).read_text() == installation.known()


def test_many_pictures_without_a_row_are_swept_in_batches(album: Album) -> None:
    for number in range(forget_photos.BATCH + 1):
        album.storage.put(file_of(f"{number:064x}", new_id("pic")), b"x")
    assert sweep(album.storage, real_now() + DAY) >= forget_photos.BATCH + 1
    assert left(album) == ["owner", "driver"]


def test_an_upload_that_cannot_be_kept_leaves_no_row(album: Album) -> None:
    house, nowhere = album.house.extensions["glovebox"], FolderStorage("/dev/null/photos")
    kept, house.doors = house.doors, replace(house.doors, storage=nowhere)
    try:
        answer = album.add(step="lock", sent=picture(colour="white"))
    finally:
        house.doors = kept
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert left(album) == ["owner", "driver"]
