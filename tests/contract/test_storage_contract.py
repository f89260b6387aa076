"""One suite for both places where files are kept: a folder, and a bucket over a real socket."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.kit.errors import Unavailable
from app.kit.s3_storage import Bucket, S3Storage
from app.kit.storage import FolderStorage, NotKeptError, Storage
from tests.kit.bucket import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, BucketServer

LATER = datetime(2100, 1, 1, tzinfo=UTC)
NAME, OTHER = "ab/ab12-0197", "cd/cd34-0198"


@pytest.fixture(scope="module")
def server() -> Iterator[BucketServer]:
    with BucketServer() as running:
        yield running


@dataclass
class Shelf:
    """Where the files of one test are."""

    server: BucketServer
    folder: Path

    def bucket(self) -> Bucket:
        return Bucket(f"s3://{BUCKET}/kept/here", self.server.url, REGION, ACCESS_KEY, SECRET_KEY)


@pytest.fixture
def shelf(server: BucketServer, tmp_path: Path) -> Shelf:
    server.files.clear()
    server.ill = None
    return Shelf(server, tmp_path / "photos")


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, shelf: Shelf) -> Storage:
    return FolderStorage(shelf.folder) if request.param == "folder" else S3Storage(shelf.bucket())


def test_what_was_kept_is_given_back_byte_for_byte(storage: Storage) -> None:
    data = bytes(range(256)) * 4000
    storage.put(NAME, data)
    assert storage.get(NAME) == data


def test_what_was_never_kept_is_not_there(storage: Storage) -> None:
    with pytest.raises(NotKeptError):
        storage.get(NAME)


def test_deleting_leaves_nothing_and_may_be_repeated(storage: Storage) -> None:
    storage.put(NAME, b"1")
    storage.put(OTHER, b"2")
    for _ in range(2):
        storage.delete(NAME)
    assert [one.name for one in storage.kept()] == [OTHER]


def test_all_that_is_kept_is_listed_with_its_age(storage: Storage) -> None:
    names = [f"{n:02x}/{n:02x}ff-{n}" for n in range(5)]
    for name in names:
        storage.put(name, b"x")
    found = sorted(storage.kept(), key=lambda one: one.name)
    assert [one.name for one in found] == names
    now = datetime.now(UTC)  # noqa: TID251
    assert all(abs(now - one.at) < timedelta(minutes=1) for one in found)


def test_an_empty_place_lists_nothing(storage: Storage) -> None:
    assert list(storage.kept()) == []


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a//b", ".hidden", "A", "a/../b", ""])
def test_no_name_leads_elsewhere(storage: Storage, name: str) -> None:
    for ask in (lambda: storage.put(name, b"x"), lambda: storage.get(name), lambda: storage.delete(name)):
        with pytest.raises(ValueError, match="no name of a file"):
            ask()


def test_whole_files_are_no_halves(storage: Storage) -> None:
    storage.put(NAME, b"x")
    assert storage.forget_halves(LATER) == 0
    assert storage.get(NAME) == b"x"


# -- each alone ------------------------------------------------------------------------------------------------------


def test_a_file_is_the_services_alone_and_half_a_one_is_never_seen(shelf: Shelf) -> None:
    FolderStorage(shelf.folder).put(NAME, b"x")
    place = shelf.folder / NAME
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    (place.parent / f".{place.name}.1a2b").write_bytes(b"half")
    assert [one.name for one in FolderStorage(shelf.folder).kept()] == [NAME]


def test_what_a_killed_process_left_half_written_goes_by_its_age(shelf: Shelf) -> None:
    storage = FolderStorage(shelf.folder)
    storage.put(NAME, b"x")
    half, strange = shelf.folder / "ab" / ".ab12-0197.0a1b2c3d", shelf.folder / "ab" / ".nfs0001"
    for place in (half, strange):
        place.write_bytes(b"half")
    old = half.stat().st_mtime - 7200
    os.utime(half, (old, old))
    made = datetime.fromtimestamp(old, UTC)
    assert storage.forget_halves(made) == 0
    assert storage.forget_halves(made + timedelta(hours=1)) == 1
    assert sorted(one.name for one in half.parent.iterdir()) == [".nfs0001", "ab12-0197"]


def test_a_folder_that_cannot_be_written_is_away_for_the_moment(shelf: Shelf) -> None:
    shelf.folder.write_text("a file stands in the way")
    with pytest.raises(Unavailable):
        FolderStorage(shelf.folder).put(NAME, b"x")


def test_the_prefix_keeps_to_its_own_part_of_the_bucket(shelf: Shelf) -> None:
    shelf.server.files["other/1"] = (b"x", datetime(2027, 1, 1, tzinfo=UTC))
    storage = S3Storage(shelf.bucket())
    storage.put(NAME, b"x")
    assert sorted(shelf.server.files) == [f"kept/here/{NAME}", "other/1"]
    assert [one.name for one in storage.kept()] == [NAME]


def test_a_wrong_key_keeps_nothing(shelf: Shelf) -> None:
    wrong = S3Storage(replace(shelf.bucket(), secret_key="another"))
    for ask in (lambda: wrong.put(NAME, b"x"), lambda: wrong.get(NAME), lambda: list(wrong.kept())):
        with pytest.raises(Unavailable):
            ask()
    assert shelf.server.files == {}


def test_a_bucket_that_is_ill_is_tried_again_and_then_away_for_the_moment(shelf: Shelf) -> None:
    shelf.server.ill, before = 503, len(shelf.server.seen)
    with pytest.raises(Unavailable):
        S3Storage(shelf.bucket()).put(NAME, b"x")
    assert len(shelf.server.seen) - before == 3


def test_a_bucket_that_is_not_there_is_away_for_the_moment(shelf: Shelf) -> None:
    nowhere = replace(shelf.bucket(), endpoint="http://127.0.0.1:1")
    with pytest.raises(Unavailable):
        S3Storage(nowhere).get(NAME)
