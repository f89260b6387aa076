import io
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import Any

import jwt
import pytest
from flask import Flask
from jwt import PyJWKSet
from pypdf import PdfReader

from app.coverage import certificate_paper, cover, coverage_at
from app.kit import clock
from app.kit.clock import z
from app.kit.keys import Purpose, ring, rotate
from app.kit.wording import words
from insurance.certificate import CertificateFacts, CertificateInvalid, verify
from insurance.period import Span
from tests import factories as people
from tests.coverage import factories
from tests.coverage.factories import bind, doing, seal, signed_in


def fetch(http: Any, cover_id: str, headers: dict[str, str]) -> str:
    answer = http.get(f"/v1/covers/{cover_id}/certificate", headers=headers)
    assert answer.status_code == 200, answer.text
    found: str = answer.json["certificate"]
    return found


def keys(http: Any) -> dict[str, Any]:
    answer = http.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json
    return found


def test_a_certificate_verifies_offline_and_agrees_with_the_coverage_query(http: Any, app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    seal()
    facts = verify(keys(http), fetch(http, ended.id, signed_in(circle.max)))
    asked = coverage_at.ask(circle.policy.insurer_id, at=ended.from_at, plate=circle.car.plate, country="FR")
    assert facts.liability == Span(ended.from_at, ended.to_at)
    assert asked["cover"]["liability"] == {"from": z(facts.liability.from_at), "to": z(ended.to_at)}  # type: ignore[arg-type]
    assert asked["cover"]["own_damage"]["to"] == z(facts.own_damage.to_at)  # type: ignore[arg-type]
    assert (facts.certificate, facts.version) == (asked["certificate"], asked["cover"]["version"])
    assert (facts.cover, facts.status) == (asked["cover"]["id"], asked["cover"]["state"])
    assert (facts.policy_number, facts.driver_ref) == (asked["policy_number"], asked["driver_ref"])
    assert (facts.insurer, facts.plate) == (asked["insurer"], circle.car.plate)
    assert circle.max.name not in repr(facts)


def test_it_comes_as_jose_to_whoever_asks_for_that(http: Any, app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    headers = signed_in(circle.max) | {"Accept": "application/jose"}
    answer = http.get(f"/v1/covers/{bound.id}/certificate", headers=headers)
    assert answer.mimetype == "application/jose"
    assert isinstance(verify(keys(http), answer.text), CertificateFacts)


def test_the_driver_alone_may_have_it(http: Any, app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    for other in (circle.olga, people.person("Charlie Stranger")):
        answer = http.get(f"/v1/covers/{bound.id}/certificate", headers=signed_in(other))
        assert answer.status_code == 404
    assert http.get(f"/v1/covers/{bound.id}/certificate").status_code == 401


def test_an_extension_is_a_new_version_of_the_same_certificate(http: Any, app: Flask) -> None:
    circle = factories.circle()
    trip = circle.trip(hours=1)
    bound = bind(trip)
    me = signed_in(circle.max)
    first = verify(keys(http), fetch(http, bound.id, me))
    doing(cover.extend, trip.rental, trip.to_at + timedelta(hours=1))
    second = verify(keys(http), fetch(http, bound.id, me))
    assert (first.certificate, first.version) == (second.certificate, second.version - 1)
    assert first.own_damage.to_at != second.own_damage.to_at


def test_it_still_verifies_after_the_key_was_retired(http: Any, app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    old = fetch(http, bound.id, signed_in(circle.max))
    rotate(Purpose.CERTIFICATES)
    ring().forget()
    new = fetch(http, bound.id, signed_in(circle.max))
    published = keys(http)
    assert verify(published, old).cover == verify(published, new).cover == bound.id
    assert old.split(".")[0] != new.split(".")[0]


def test_an_altered_one_does_not_verify(http: Any, app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    head, body, signature = fetch(http, bound.id, signed_in(circle.max)).split(".")
    with pytest.raises(CertificateInvalid):
        verify(keys(http), f"{head}.{body[:-4]}AAAA.{signature}")


def judged_by_pyjwt(published: dict[str, Any], token: str) -> dict[str, Any]:
    """What a library says that we do not sign with: PyJWT, with the key that the header names."""
    key = PyJWKSet.from_dict(published)[jwt.get_unverified_header(token)["kid"]]
    # business time runs ahead of this machine's here
    found: dict[str, Any] = jwt.decode(token, key, algorithms=["ES256"], options={"verify_iat": False})
    return found


def test_a_library_that_does_not_sign_here_verifies_it_by_the_published_keys(http: Any, app: Flask) -> None:
    circle = factories.circle()
    ended = factories.ended(circle)
    token = fetch(http, ended.id, signed_in(circle.max))
    rotate(Purpose.CERTIFICATES)
    ring().forget()
    claims = judged_by_pyjwt(keys(http), token)
    facts = verify(keys(http), token)
    assert (claims["cover"], claims["jti"]) == (facts.cover, facts.certificate)
    head, body, signature = token.split(".")
    with pytest.raises(jwt.InvalidSignatureError):
        judged_by_pyjwt(keys(http), f"{head}.{body[:-4]}AAAA.{signature}")


@pytest.mark.skipif(shutil.which("jose") is None, reason="Debian's jose is not installed")
def test_a_tool_of_another_make_verifies_it_and_refuses_an_altered_one(
    http: Any, app: Flask, tmp_path: Path
) -> None:
    circle = factories.circle()
    token = fetch(http, bind(circle.trip()).id, signed_in(circle.max))
    (tmp_path / "jwks.json").write_text(json.dumps(keys(http)), "utf-8")
    command = ["jose", "jws", "ver", "-i", "certificate.jws", "-k", "jwks.json", "-O", "claims.json"]

    def judged(said: str) -> int:
        (tmp_path / "certificate.jws").write_text(said, "utf-8")
        return subprocess.run(command, check=False, cwd=tmp_path, capture_output=True).returncode

    assert judged(token) == 0
    claims = json.loads((tmp_path / "claims.json").read_text("utf-8"))
    assert claims["cover"] == verify(keys(http), token).cover
    head, body, signature = token.split(".")
    assert judged(f"{head}.{body[:-4]}AAAA.{signature}") != 0


def test_only_certificate_keys_are_published_and_no_private_part(http: Any, app: Flask) -> None:
    published = keys(http)["keys"]
    assert {one["kid"] for one in published} == {one.kid for one in ring().all(Purpose.CERTIFICATES)}
    assert all("d" not in one and one["alg"] == "ES256" for one in published)


@pytest.mark.parametrize("path", ["/v1/certificates/{}", "/verify/{}"])
def test_anybody_may_ask_what_became_of_it_and_learns_no_name(http: Any, app: Flask, path: str) -> None:
    circle = factories.circle()
    trip = circle.trip()
    bound = bind(trip)
    place = path.format(bound.certificate_id)
    found = http.get(place)
    assert (found.status_code, found.json["status"]) == (200, "in_force")
    assert found.json["liability"] == {"from": z(bound.from_at), "to": None}
    doing(cover.close, trip.rental, clock.now(), evidence="box")
    assert http.get(place).json["status"] == "closed"
    for secret in (circle.max.name, circle.car.plate, bound.driver_ref, circle.max.id):
        assert secret not in http.get(place).text
    other = circle.trip()
    doing(cover.void, other.rental, bind(other).from_at, "nothing opened")
    void = cover.of(other.rental)
    assert void is not None
    assert http.get(path.format(void.certificate_id)).json["status"] == "void"


def test_a_certificate_nobody_issued_is_not_found(http: Any, app: Flask) -> None:
    assert http.get("/v1/certificates/crt_" + "0" * 32).status_code == 404
    assert http.get("/v1/certificates/anything").status_code == 404


TEXTS = Path(certificate_paper.__file__).parent / "texts"
LANGUAGES = ("en", "fr", "de", "nl", "it", "es", "pt")


def test_the_texts_of_all_languages_say_the_same_things() -> None:
    texts = {language: words(TEXTS, language) for language in LANGUAGES}
    for language, said in texts.items():
        assert said.keys() == texts["en"].keys(), language
        for key, text in said.items():
            assert fields_of(text) == fields_of(texts["en"][key]), (language, key)


def fields_of(text: str) -> set[str | None]:
    return {field for _, field, _, _ in Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_paper_it_carries_what_the_roadside_asks_for(http: Any, app: Flask, language: str) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    headers = signed_in(circle.max) | {"Accept": "application/pdf", "Accept-Language": language}
    answer = http.get(f"/v1/covers/{bound.id}/certificate", headers=headers)
    assert answer.mimetype == "application/pdf"
    said = PdfReader(io.BytesIO(answer.data)).pages[0].extract_text()
    policy = circle.policy.data
    for wanted in (
        policy["insurer"]["name"],
        policy["number"],
        policy["policyholder"],
        circle.car.plate,
        circle.car.make,
        circle.car.model,
        bound.certificate_id,
        words(TEXTS, language)["title"],
    ):
        assert wanted in said, said
    assert circle.max.name not in said
    assert len(PdfReader(io.BytesIO(answer.data)).pages) == 1


def test_whoever_scans_it_reads_a_page_in_their_language_without_names(http: Any, app: Flask) -> None:
    circle = factories.circle()
    bound = bind(circle.trip())
    headers = {"Accept": "text/html", "Accept-Language": "de-AT, en;q=0.5"}
    answer = http.get(f"/verify/{bound.certificate_id}", headers=headers)
    assert answer.mimetype == "text/html"
    assert "In Kraft" in answer.text
    assert circle.max.name not in answer.text
    assert circle.car.plate not in answer.text
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert http.get("/verify/crt_" + "0" * 32, headers=headers).status_code == 404


def test_a_program_that_asks_gets_json(http: Any, app: Flask) -> None:
    bound = bind(factories.circle().trip())
    assert http.get(f"/verify/{bound.certificate_id}").json["status"] == "in_force"
