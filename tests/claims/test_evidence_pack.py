"""The evidence of a claim over HTTP: what is in the file, its signature and hashes by other tools, who may have it."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from flask import Flask
from joserfc import jws
from joserfc.jwk import KeySet
from jwt import PyJWKSet, PyJWS
from sqlalchemy import select

from app.cars.models import Car
from app.claims import evidence_files
from app.communities import accept, invite
from app.coverage import cover as covers
from app.coverage import log_head
from app.coverage.loss_models import EvidenceRead
from app.coverage.models import Cover
from app.coverage.trip import driver_ref
from app.kit.clock import z
from app.kit.db import session
from app.people import conditions
from app.people.models import Person
from app.rentals import name_driver
from insurance import verify_log
from tests import factories as people
from tests.coverage import factories
from tests.coverage.factories import bearer, seal
from tests.guards.test_chain import ROOT
from tests.rentals.album import Album, build, drive, start
from tests.rentals.scene import Scene, make

GUIDE = (ROOT / "docs" / "insurers.md").read_text("utf-8")
FILES = {
    *("claim.json", "cover.json", "certificate.jws", "jwks.json", "booking.json", "licence.json"),
    *(
        "named_drivers.json",
        "eligibility.json",
        "commands.json",
        "events.json",
        "readings.json",
        "use.json",
        "money.json",
        "messages.json",
    ),
    *("photos.json", "manifest.json", "manifest.jws"),
}


class Claimed:
    """Max has driven Olga's car and photographed it; its insurer has a claim."""

    def __init__(self, house: Flask, scene: Scene) -> None:
        self.house, self.scene = house, scene
        self.album: Album = build(house, scene)
        drive(scene)
        self.album.added(step="lock", angle="front")
        self.cover = self._cover()
        self.claim = self._notify()
        seal()
        log_head.sign_log_head()
        seal()

    def _cover(self) -> Cover:
        found = covers.of(self.scene.rental_id)
        assert found is not None
        return found

    def _notify(self) -> str:
        body = {
            "cover": self.cover.id,
            "occurred_at": z(self.cover.from_at + timedelta(minutes=10)),
            "reference": "S-2026-77",
            "text": "A dent in the left door.",
        }
        headers = self.client("claims:write")
        made = self.house.test_client().post("/v1/insurer/claims", headers=headers, json=body)
        assert made.status_code == 201, made.text
        assert made.json is not None
        return str(made.json["id"])

    def client(self, *scopes: str) -> dict[str, str]:
        session.rollback()
        return bearer(self.house.test_client(), factories.client(self.cover.insurer_id, *scopes))

    def fetch(self, headers: dict[str, str], status: int = 200) -> Any:
        session.rollback()
        path = f"/v1/insurer/claims/{self.claim}/evidence"
        answer = self.house.test_client().get(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer

    def pack(self, *more: str) -> dict[str, bytes]:
        """Every file by its name."""
        answer = self.fetch(self.client("claims:evidence", *more))
        assert answer.mimetype == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}


def test_further_drivers_are_in_it_by_pseudonym_and_named_only_to_who_may_read_names(app: Flask) -> None:
    scene = make()
    nina = people.person("Nina Neighbour")
    invitation = invite.invite(scene.olga.id, scene.community.id, {"email": nina.email})
    accept.accept(nina.id, invite.code_of(invitation.id))
    people.licensed(nina, scene.olga, scene.community)
    conditions.accept(nina.id, ["insurance-2026-1"])
    name_driver.name(scene.max.id, scene.rental_id, nina.id)
    claimed = Claimed(app, scene)
    [row] = json.loads(claimed.pack()["named_drivers.json"])
    assert row["driver_ref"] == driver_ref(claimed.cover.insurer_id, nina.id)
    assert (row["licence"]["classes"], row["conditions"]) == (["B"], ["insurance-2026-1"])
    assert [one["counted"] for one in row["clearances"]] == [True]
    assert all(nina.name.encode() not in data for data in claimed.pack().values())
    [named] = json.loads(claimed.pack("drivers:read")["named_drivers.json"])
    assert named["driver"]["name"] == nina.name


@pytest.fixture
def claimed(app: Flask) -> Claimed:
    return Claimed(app, make())


def ended_at(claimed: Claimed) -> datetime:
    found = claimed.cover.to_at
    assert found is not None
    return found


def test_the_pack_holds_what_the_records_say(claimed: Claimed) -> None:
    pack = claimed.pack()
    of_photos = {name for name in pack if name.startswith("photos/")}
    of_proofs = {name for name in pack if name.startswith("proofs/")}
    assert set(pack) == FILES | of_photos | of_proofs
    found = {name: json.loads(data) for name, data in pack.items() if name.endswith(".json")}
    assert found["claim.json"]["claim"]["reference"] == "S-2026-77"
    assert [one["cover"]["state"] for one in found["cover.json"]["versions"]] == ["bound", "active", "closed"]
    [command] = found["commands.json"]["online"]
    assert (command["purpose"], command["result"], command["asked_by"]) == ("unlock", "confirmed", "driver")
    assert found["readings.json"]["start"]["odometer_km"] == 1200
    assert found["readings.json"]["end"]["charge_percent"] == 80
    assert found["licence.json"]["clearances"][0]["counted"]
    assert found["eligibility.json"]["rules"] == 1
    assert found["eligibility.json"]["master_policy"]["version"] == 1
    assert all(one["accepted_at"] for one in found["booking.json"]["conditions"])
    assert found["booking.json"]["custody"][0]["from"] == z(claimed.cover.from_at)
    known = found["booking.json"]["custody_as_recorded"]
    assert [(one["holder"], one["to"]) for one in known] == [("driver", None), ("owner", None)]
    assert [one["from"] for one in known] == [z(claimed.cover.from_at), z(ended_at(claimed))]
    assert known[0]["position"] < known[1]["position"]
    assert {"UnlockAsked", "RentalStarted", "RentalEnded"} <= {one["kind"] for one in found["events.json"]}
    assert found["money.json"]["premium"]["amount"] == claimed.cover.premium


def test_an_age_is_counted_on_the_cars_calendar_as_the_rules_count_it(claimed: Claimed) -> None:
    cover, car = claimed.cover, session.get_one(Car, claimed.cover.car_id)
    assert car.time_zone == "Europe/Paris"
    cover.from_at = datetime.fromisoformat("2026-10-31T23:30:00Z")
    session.get_one(Person, cover.driver_id).birth_date = date(1990, 11, 1)
    assert evidence_files.judged(cover, car)["driver"]["age"] == 36
    session.rollback()


def test_photos_are_in_it_with_the_hash_the_log_has(claimed: Claimed) -> None:
    pack = claimed.pack()
    [listed] = json.loads(pack["photos.json"])
    assert hashlib.sha256(pack[listed["file"]]).hexdigest() == listed["sha256"]


def test_the_manifest_is_signed_and_names_every_file_by_its_hash(claimed: Claimed) -> None:
    pack = claimed.pack()
    published: Any = claimed.house.test_client().get("/.well-known/jwks.json").json
    keys = KeySet.import_key_set(published)
    seen = jws.deserialize_compact(pack["manifest.jws"].decode(), keys, algorithms=["ES256"])
    assert seen.headers()["typ"] == "evidence-manifest+jwt"
    assert seen.payload == pack["manifest.json"]
    manifest = json.loads(seen.payload)
    assert (manifest["claim"], manifest["missing"]) == (claimed.claim, [])
    listed = {one["name"]: (one["bytes"], one["sha256"]) for one in manifest["files"]}
    rest = {name: data for name, data in pack.items() if not name.startswith("manifest")}
    assert listed == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in rest.items()}


def test_the_guides_own_script_verifies_it_and_finds_an_altered_file(
    claimed: Claimed, tmp_path: Path
) -> None:
    [script] = [one for one in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if "zipfile" in one]
    pack = claimed.pack()

    def verified(files: dict[str, bytes]) -> bool:
        with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        (tmp_path / "keys.json").write_bytes(pack["jwks.json"])
        command = [sys.executable, "-c", script, "pack.zip", "keys.json"]
        return subprocess.run(command, check=False, cwd=tmp_path, capture_output=True).returncode == 0

    assert verified(pack)
    assert not verified({**pack, "commands.json": pack["commands.json"].replace(b"confirmed", b"refused  ")})


def test_a_library_that_does_not_sign_here_verifies_the_manifest(claimed: Claimed) -> None:
    pack = claimed.pack()
    token = pack["manifest.jws"].decode().strip()
    key = PyJWKSet.from_dict(json.loads(pack["jwks.json"]))[jwt.get_unverified_header(token)["kid"]]
    said = PyJWS().decode_complete(token, key, algorithms=["ES256"])
    assert said["payload"] == pack["manifest.json"]


@pytest.mark.skipif(shutil.which("jose") is None, reason="Debian's jose is not installed")
def test_a_tool_that_is_not_ours_verifies_the_manifest(claimed: Claimed, tmp_path: Path) -> None:
    pack = claimed.pack()
    for name in ("manifest.jws", "jwks.json"):
        (tmp_path / name).write_bytes(pack[name])
    command = ["jose", "jws", "ver", "-i", "manifest.jws", "-k", "jwks.json", "-O", "out"]
    subprocess.run(command, check=True, cwd=tmp_path)
    assert (tmp_path / "out").read_bytes() == pack["manifest.json"]


def test_every_version_of_the_cover_is_proved_to_lie_under_a_signed_head(claimed: Claimed) -> None:
    pack = claimed.pack()
    for version in (1, 2, 3):
        proof = json.loads(pack[f"proofs/version-{version}.json"])
        assert proof["cover"]["version"] == version
        assert verify_log.Signatures(json.loads(pack["jwks.json"])).wrong(proof["head"]) is None
        assert verify_log.proved(proof) is None


def test_a_lost_photo_is_named_as_missing(claimed: Claimed) -> None:
    for one in claimed.album.storage.kept():
        claimed.album.storage.delete(one.name)
    pack = claimed.pack()
    [listed] = json.loads(pack["photos.json"])
    assert json.loads(pack["manifest.json"])["missing"] == [listed["file"]]


def test_nobody_is_named_without_the_scope_for_it(claimed: Claimed) -> None:
    people = (claimed.scene.max, claimed.scene.olga)
    secrets = [word for one in people for word in (one.id, one.name, one.email)]
    place = ("48.8566", "latitude", "lat")
    whole = b"\n".join(data for name, data in claimed.pack().items() if not name.endswith(".jpg")).decode()
    assert [word for word in (*secrets, *(f'"{one}"' for one in place)) if word in whole] == []
    named = json.loads(claimed.pack("drivers:read")["driver.json"])
    assert named["name"] == claimed.scene.max.name


def test_every_download_is_written_down(claimed: Claimed) -> None:
    claimed.pack()
    claimed.pack("drivers:read")
    rows = session.scalars(
        select(EvidenceRead).where(EvidenceRead.claim_id == claimed.claim).order_by(EvidenceRead.id)
    ).all()
    assert [row.named for row in rows] == [False, True]
    assert rows[0].client_id != rows[1].client_id


def test_a_rival_gets_none_of_it_and_nor_does_a_client_without_the_scope(claimed: Claimed) -> None:
    rival = factories.client(factories.insurer("Rival").id, "claims:evidence")
    claimed.fetch(bearer(claimed.house.test_client(), rival), 404)
    claimed.fetch(claimed.client("claims:write"), 403)
    seen = select(EvidenceRead).where(EvidenceRead.claim_id == claimed.claim)
    assert session.scalars(seen).all() == []


def test_it_is_of_a_cover_that_is_still_open_too(app: Flask) -> None:
    scene = make()
    start(scene)
    given = covers.of(scene.rental_id)
    assert given is not None
    headers = bearer(app.test_client(), factories.client(given.insurer_id, "claims:write", "claims:evidence"))
    body = {"cover": given.id, "occurred_at": z(given.from_at), "reference": "1", "text": "Just now."}
    made: Any = app.test_client().post("/v1/insurer/claims", headers=headers, json=body).json
    answer = app.test_client().get(f"/v1/insurer/claims/{made['id']}/evidence", headers=headers)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert json.loads(archive.read("readings.json"))["end"]["odometer_km"] is None
