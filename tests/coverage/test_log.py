"""The log that nobody can change unseen: chained, signed once a day, proved fact by fact, checked from the export alone."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from joserfc import jws
from joserfc.jwk import KeySet
from sqlalchemy import text

from app.coverage import ahead, certificate, log_export, log_head, partners
from app.coverage.models import Cover
from app.kit.clock import z
from app.kit.db import new_id, session
from app.kit.keys import Purpose, rotate
from insurance import verify_log
from tests.coverage import factories
from tests.coverage.factories import bearer, doing, seal

SCRIPT = Path(verify_log.__file__)


@pytest.fixture
def circle(app: Flask) -> factories.Circle:
    return factories.circle()


@pytest.fixture
def signed(circle: factories.Circle) -> Cover:
    """A cover that was given and ended, and a head over it; another head before it, which an auditor has kept."""
    sign()
    ended = factories.ended(circle)
    sign()
    return ended


def sign() -> None:
    seal()
    log_head.sign_log_head()
    seal()


def insurer(http: Any, circle: factories.Circle) -> Any:
    headers = bearer(http, factories.client(circle.policy.insurer_id, "coverage:read"))

    def ask(path: str, status: int = 200) -> Any:
        answer = http.get(f"/v1/insurer/{path}", headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json

    return ask


def position(cover: Cover, version: int) -> int:
    found = session.execute(
        text(
            "select f.position from facts f join cover_versions x on x.fact_seq = f.seq"
            " where x.cover_id = :cover and x.version = :version"
        ),
        {"cover": cover.id.split("_")[1], "version": version},
    ).scalar_one()
    return int(found)


def since() -> str:
    """The head that was kept: the one before the last."""
    statement = "select signed from log_heads order by number desc offset 1 limit 1"
    found: str = session.execute(text(statement)).scalar_one()
    return found


def exported() -> list[str]:
    """What came after the head that was kept."""
    return list(log_export.lines(verify_log.claims_of(since())["last"]))


@contextmanager
def altered(*statements: str, **values: Any) -> Iterator[list[str]]:
    """The export of a database in which somebody with every right did this; undone afterwards."""
    session.rollback()
    session.execute(text("set local session_replication_role = replica"))
    for statement in statements:
        session.execute(text(statement), values)
    yield exported()
    session.rollback()


def wrong(lines: list[str], **how: Any) -> list[str]:
    return verify_log.verify(lines, keys=certificate.jwks(), since=since(), **how)[0]


def test_an_export_of_the_whole_log_fits(signed: Cover) -> None:
    lines = list(log_export.lines())
    found, log = verify_log.verify(lines, keys=certificate.jwks())
    assert found == []
    assert log.heads > 0
    assert log.seen["cover"] >= 3


def test_a_head_is_signed_with_a_key_of_the_published_set(
    http: Any, circle: factories.Circle, signed: Cover
) -> None:
    newest = insurer(http, circle)("signed-heads?limit=1")["items"][0]
    keys = KeySet.import_key_set(http.get("/.well-known/jwks.json").json)
    seen = jws.deserialize_compact(newest["head"], keys, algorithms=["ES256"])
    assert seen.headers()["typ"] == "log-head+jwt"
    claims = json.loads(seen.payload)
    assert (claims["first"], claims["last"]) == (newest["first"], newest["last"])
    assert newest["last"] >= position(signed, 3)


def test_heads_follow_each_other_without_a_gap(http: Any, circle: factories.Circle, signed: Cover) -> None:
    sign()
    later, before = insurer(http, circle)("signed-heads?limit=2")["items"]
    assert later["first"] == before["last"] + 1
    assert later["number"] == before["number"] + 1


@pytest.mark.parametrize("version", [1, 3])
def test_a_version_of_a_cover_is_proved_to_lie_under_a_head(
    http: Any, circle: factories.Circle, signed: Cover, version: int
) -> None:
    proof = insurer(http, circle)(f"covers/{signed.id}/proof?version={version}")
    assert proof["cover"]["version"] == version
    assert verify_log.proved(proof) is None


def test_a_proof_of_other_words_does_not_hold(http: Any, circle: factories.Circle, signed: Cover) -> None:
    proof = insurer(http, circle)(f"covers/{signed.id}/proof")
    cover = {**proof["cover"], "covered_minutes": 1}
    assert verify_log.proved({**proof, "cover": cover}) == "the fact speaks of another version"
    fact = {**proof["fact"], "data": json.dumps({"digest": verify_log.digest(cover)})}
    assert verify_log.proved({**proof, "cover": cover, "fact": fact}) == "the path does not lead to the root"


def test_before_the_next_head_a_proof_has_none(http: Any, circle: factories.Circle, signed: Cover) -> None:
    young = factories.ended(circle)
    seal()
    proof = insurer(http, circle)(f"covers/{young.id}/proof")
    assert (proof["head"], proof["path"], proof["cover"]["id"]) == (None, [], young.id)


def test_a_tree_of_many_chunks_proves_its_first_its_last_and_those_at_the_seams(
    http: Any, circle: factories.Circle, signed: Cover
) -> None:
    """More facts than a chunk has leaves, and not a whole number of chunks."""
    first = factories.ended(circle)
    with_many = "insert into facts (kind, data) select 'SignedIn', jsonb_build_object('n', n) from generate_series(1, 700) n"
    session.execute(text(with_many))
    session.commit()
    last = factories.ended(circle)
    sign()
    ask = insurer(http, circle)
    for cover in (first, last):
        for version in (1, 2, 3):
            assert verify_log.proved(ask(f"covers/{cover.id}/proof?version={version}")) is None


def test_a_rivals_cover_is_not_proved(http: Any, circle: factories.Circle, signed: Cover) -> None:
    rival = doing(partners.add_insurer, f"Rival {new_id('ins')}")
    headers = bearer(http, factories.client(rival.id, "coverage:read"))
    assert http.get(f"/v1/insurer/covers/{signed.id}/proof", headers=headers).status_code == 404


ALTER = "update facts set data = data || '{\"version\": 9}' where position = :p"
REMOVE = "delete from facts where position = :p"
INSERT = (
    "insert into facts (kind, data, position, chain, sealed_at) select kind, data, 1 + (select max(position) from facts),"
    " chain, sealed_at from facts where position = :p"
)


def test_an_altered_fact_is_named(signed: Cover) -> None:
    p = position(signed, 2)
    with altered(ALTER, p=p) as lines:
        found = wrong(lines)
    assert found[0] == f"position {p}: what the fact says is not what was chained"


def test_a_removed_fact_is_named(signed: Cover) -> None:
    p = position(signed, 2)
    with altered(REMOVE, p=p) as lines:
        found = wrong(lines)
    assert found[0] == f"position {p}: missing"


def test_an_inserted_fact_is_named(signed: Cover) -> None:
    last = session.execute(text("select max(position) from facts")).scalar_one()
    with altered(INSERT, p=position(signed, 2)) as lines:
        found = wrong(lines)
    assert f"position {last + 1}: what the fact says is not what was chained" in found


def test_an_altered_version_of_a_cover_is_named(signed: Cover) -> None:
    p = position(signed, 3)
    statement = (
        "update cover_versions set data = data || '{\"covered_minutes\": 1}'"
        " where fact_seq = (select seq from facts where position = :p)"
    )
    with altered(statement, p=p) as lines:
        assert wrong(lines) == [f"position {p}: the cover's version is not the one that was recorded"]


@pytest.mark.parametrize(
    "column",
    [
        "to_at = to_at + interval '1 hour'",
        "from_at = from_at - interval '1 hour'",
        "state = 'void'",
        "recorded_at = recorded_at - interval '1 day'",
    ],
)
def test_an_altered_column_by_which_questions_are_answered_is_named(signed: Cover, column: str) -> None:
    p = position(signed, 3)
    statement = (
        f"update cover_versions set {column} where fact_seq = (select seq from facts where position = :p)"  # noqa: S608
    )
    with altered(statement, p=p) as lines:
        assert wrong(lines) == [f"position {p}: the cover's version is not the one that was recorded"]


def test_a_version_on_condition_fits(app: Flask) -> None:
    sign()
    circle = factories.circle()
    trip = circle.trip()
    doing(ahead.bind, trip, trip.from_at, trip.to_at)
    sign()
    assert wrong(exported()) == []


def test_a_removed_version_of_a_cover_is_named(signed: Cover) -> None:
    p = position(signed, 3)
    statement = "delete from cover_versions where fact_seq = (select seq from facts where position = :p)"
    with altered(statement, p=p) as lines:
        assert wrong(lines) == [f"position {p}: the cover's version that the fact speaks of is missing"]


def seq(position: int) -> int:
    found = session.execute(text("select seq from facts where position = :p"), {"p": position}).scalar_one()
    return int(found)


@pytest.fixture
def entry(signed: Cover) -> int:
    """The position of the entry of custody that came with a new car, under the newest head."""
    car = factories.circle().car
    sign()
    found = session.execute(
        text(
            "select f.position from facts f join custody_entries e on e.fact_seq = f.seq where e.car_no = :car"
        ),
        {"car": car.no},
    ).scalar_one()
    return int(found)


CUSTODY = {
    "update custody_entries set to_at = business_now() where fact_seq = :seq": "is not the one that was recorded",
    "update custody_entries set holder = 'driver' where fact_seq = :seq": "is not the one that was recorded",
    "delete from custody_entries where fact_seq = :seq": "that the fact speaks of is missing",
}


@pytest.mark.parametrize("statement", CUSTODY)
def test_a_changed_or_removed_entry_of_custody_is_named(entry: int, statement: str) -> None:
    with altered(statement, seq=seq(entry)) as lines:
        found = wrong(lines)
    assert found == [f"position {entry}: the entry of custody {CUSTODY[statement]}"]


def test_an_entry_of_custody_that_was_put_in_is_named(signed: Cover) -> None:
    p = position(signed, 2)
    statement = (
        "insert into custody_entries (car_no, sequence, fact_seq, holder, from_at, recorded_at)"
        " select :car, 99, seq, 'driver', at, at from facts where position = :p"
    )
    with altered(statement, p=p, car=signed.car_no) as lines:
        assert wrong(lines) == [f"position {p}: the entry of custody that no fact speaks of"]


@pytest.fixture
def claimed(http: Any, circle: factories.Circle, signed: Cover) -> int:
    """The position of an insurer's claim on the cover, under the newest head."""
    headers = bearer(http, factories.client(circle.policy.insurer_id, "claims:write"))
    body = {"cover": signed.id, "occurred_at": z(signed.from_at), "reference": "1", "text": "A dent."}
    assert http.post("/v1/insurer/claims", headers=headers, json=body).status_code == 201
    sign()
    found = session.execute(
        text("select max(f.position) from facts f join claim_versions k on k.fact_seq = f.seq")
    ).scalar_one()
    return int(found)


def test_versions_of_claims_are_looked_at_too(claimed: int) -> None:
    found, log = verify_log.verify(exported(), keys=certificate.jwks(), since=since())
    assert (found, log.seen["claim"]) == ([], 1)


def test_an_altered_version_of_a_claim_is_named(claimed: int) -> None:
    statement = "update claim_versions set data = data || '{\"denied\": true}' where fact_seq = :seq"
    with altered(statement, seq=seq(claimed)) as lines:
        assert wrong(lines) == [f"position {claimed}: the claim's version is not the one that was recorded"]


def test_a_removed_version_of_a_claim_is_named(claimed: int) -> None:
    with altered("delete from claim_versions where fact_seq = :seq", seq=seq(claimed)) as lines:
        assert wrong(lines) == [f"position {claimed}: the claim's version that the fact speaks of is missing"]


def rewritten(lines: list[str], p: int) -> list[str]:
    """What somebody with the whole database in hand would do: alter a fact, and chain all that follows anew."""
    found, chain = [], bytes.fromhex(verify_log.claims_of(since())["chain"])
    for line in lines:
        entry = json.loads(line)
        if fact := entry.get("fact"):
            if fact["position"] == p:
                fact["at"] = "2001-01-01T00:00:00+00:00"
            chain = verify_log.link(chain, fact)
            fact["chain"] = chain.hex()
        found.append(json.dumps(entry))
    return found


def test_a_log_that_was_chained_anew_does_not_fit_the_signed_head(signed: Cover) -> None:
    found = wrong(rewritten(exported(), position(signed, 2)))
    assert "was changed after it was signed" in found[0]


def test_a_log_whose_heads_were_taken_out_does_not_have_the_one_that_was_kept(
    http: Any, circle: factories.Circle, signed: Cover
) -> None:
    kept = insurer(http, circle)("signed-heads?limit=1")["items"][0]
    lines = [
        line for line in rewritten(exported(), position(signed, 2)) if '"fact"' in line or '"cover"' in line
    ]
    assert wrong(lines) == []
    assert wrong(lines, kept=[kept["head"]]) == [
        f"position {kept['last']}: a head that was kept ends here, and the log has none there"
    ]


def test_a_head_signed_by_a_retired_key_still_counts(signed: Cover) -> None:
    rotate(Purpose.CERTIFICATES)
    factories.ended(factories.circle())
    sign()
    assert wrong(exported()) == []


def test_the_script_needs_nothing_but_itself_and_the_files(http: Any, signed: Cover, tmp_path: Path) -> None:
    script = shutil.copy(SCRIPT, tmp_path / "verify_log.py")
    log, keys = tmp_path / "log.jsonl", tmp_path / "jwks.json"
    lines = exported()
    log.write_text("".join(lines), "utf-8")
    keys.write_text(json.dumps(http.get("/.well-known/jwks.json").json), "utf-8")
    kept = tmp_path / "head.txt"
    kept.write_text(since(), "utf-8")
    command = [sys.executable, "-I", str(script), str(log), "--keys", str(keys), "--since", str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("all fits: ")
    assert "signatures checked" in done.stdout
    log.write_text("".join(rewritten(lines, position(signed, 2))), "utf-8")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1


def test_the_command_says_what_the_script_says(app: Flask, signed: Cover, tmp_path: Path) -> None:
    run, kept, file = app.test_cli_runner(), tmp_path / "head.txt", tmp_path / "log.jsonl"
    kept.write_text(since(), "utf-8")
    after = str(verify_log.claims_of(since())["last"])
    session.rollback()
    log = run.invoke(args=["export", "log", "--after", after]).output
    file.write_text(log, "utf-8")
    done = run.invoke(args=["verify-log", str(file), "--since", str(kept)])
    assert (done.exit_code, done.output.startswith("all fits: ")) == (0, True)
    file.write_text(log.replace('"kind":"CoverBound"', '"kind":"CoverClosed"', 1), "utf-8")
    done = run.invoke(args=["verify-log", str(file), "--since", str(kept)])
    assert done.exit_code == 1
    assert "what the fact says is not what was chained" in done.output


def test_an_export_that_does_not_follow_the_kept_head_is_told_of(signed: Cover) -> None:
    lines = exported()[1:]
    begins = verify_log.claims_of(since())["last"] + 1
    assert wrong(lines)[0] == f"position {begins}: missing"


def test_the_head_of_the_next_day_is_due_at_its_beginning() -> None:
    now = datetime.fromisoformat("2026-03-28T23:59:59.999+00:00")
    assert log_head.next_at(now).isoformat() == "2026-03-29T00:00:00+00:00"
