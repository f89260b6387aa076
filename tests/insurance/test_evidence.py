"""The archive of a claim's evidence: written piece by piece, whatever its length."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime

from joserfc import jws
from joserfc.jwk import ECKey

from insurance import evidence
from insurance.certificate import new_key, public_jwk
from insurance.evidence import File, packed

AT = datetime(2026, 11, 1, 23, 59, 58, tzinfo=UTC)


def test_one_file_is_handed_on_before_the_next_is_asked_for() -> None:
    asked = []

    def files() -> Iterator[File]:
        for no in range(5):
            asked.append(no)
            yield File(f"photos/{no}.jpg", bytes([no]) * 100_000)

    pieces = packed(files(), {}, AT, str)
    for no in range(5):
        assert 100_000 < len(next(pieces)) < 101_000
        assert asked == list(range(no + 1))


def test_what_was_written_and_what_is_lost_is_signed_in_those_very_bytes() -> None:
    key = new_key()
    files = [File("a.json", b"{}"), File("photos/lost.jpg", None)]
    data = b"".join(packed(files, {"claim": "clm_1"}, AT, lambda text: evidence.sign(key, text)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        manifest, signed = archive.read("manifest.json"), archive.read("manifest.jws").decode()
        assert archive.getinfo("a.json").date_time == (2026, 11, 1, 23, 59, 58)
    assert names == ["a.json", "manifest.json", "manifest.jws"]
    found = json.loads(manifest)
    assert (found["claim"], [one["name"] for one in found["files"]]) == ("clm_1", ["a.json"])
    assert found["missing"] == ["photos/lost.jpg"]
    jwk = {name: value for name, value in public_jwk(key).items() if name in ("kty", "crv", "x", "y")}
    seen = jws.deserialize_compact(signed, ECKey.import_key(jwk), algorithms=["ES256"])
    assert (seen.payload, seen.headers()["typ"]) == (manifest, "evidence-manifest+jwt")
