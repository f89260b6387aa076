"""What the insurers' door promises, kept by the real HTTP adapter over real sockets."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from insurance.ask import AT_MOST
from insurance.double.process import running
from insurance.http_partner import HttpInsurer
from insurance.partner import (
    Acknowledgement,
    CoverReport,
    InsuredCar,
    InsurerError,
    InsurerMismatch,
    InsurerRefused,
    InsurerRejected,
    InsurerUnavailable,
    InsurerUnknown,
    NamedDriver,
    Premium,
)
from insurance.partner_sign_in import BearerToken, ClientCredentials
from insurance.partners import partners_of
from insurance.period import Span
from insurance.report_json import differences, to_json
from tests.kit.test_fetch import answering, dripping

START = datetime(2026, 7, 3, 12, 0, 0, 123_456, tzinfo=UTC)
END = START + timedelta(hours=3)
REPORT = CoverReport(
    cover="cov_1",
    version=1,
    state="bound",
    policy_number="FR-2026-1",
    country="FR",
    car=InsuredCar("AB-123-CD", "FR", "VF1AG000000000001", "Renault", "Zoé"),
    driver_ref="drv_7f3a",
    planned=Span(START, END),
    liability=Span(START),
    own_damage=Span(START, END),
    recorded_at=START,
)


@pytest.fixture(scope="module")
def double() -> Iterator[dict[str, Any]]:
    with running() as ready:
        yield ready


@pytest.fixture(autouse=True)
def _fresh(double: dict[str, Any]) -> None:
    control(double, "reset")


@pytest.fixture
def insurer(double: dict[str, Any]) -> HttpInsurer:
    return insurer_of(double)


def insurer_of(double: dict[str, Any], *, secret: str | None = None, read: float = 2.0) -> HttpInsurer:
    sign_in = ClientCredentials(
        token_url=double["token_url"],
        client_id=double["client_id"],
        client_secret=secret or double["client_secret"],
    )
    return HttpInsurer(double["url"], sign_in, timeout=(1.0, read))


def control(double: dict[str, Any], verb: str, **order: object) -> None:
    requests.post(f"{double['control']}/{verb}", json=order, timeout=5).raise_for_status()


def books(double: dict[str, Any]) -> dict[str, Any]:
    held: dict[str, Any] = requests.get(f"{double['control']}/covers", timeout=5).json()
    return held


def test_a_cover_is_told_and_acknowledged(insurer: HttpInsurer, double: dict[str, Any]) -> None:
    told = insurer.report(REPORT)
    [held] = books(double)["covers"]
    assert held["report"] == to_json(REPORT)
    assert held["report"]["liability"] == {"from": "2026-07-03T12:00:00.123Z", "to": None}
    assert told == Acknowledgement("cov_1", 1, "accepted", held["reference"], told.at)
    assert told.at.tzinfo is not None


@pytest.mark.parametrize("duplicates", [200, 409])
def test_the_same_report_again_has_one_effect_and_the_same_answer(
    insurer: HttpInsurer, double: dict[str, Any], duplicates: int
) -> None:
    control(double, "mood", duplicates=duplicates)
    first = insurer.report(REPORT)
    assert [insurer.report(REPORT) for _ in range(3)] == [first] * 3
    assert len(books(double)["covers"]) == 1
    assert books(double)["requests"] == 4


@pytest.mark.parametrize("duplicates", [200, 409])
def test_a_lost_answer_is_made_good_by_reporting_again(
    insurer: HttpInsurer, double: dict[str, Any], duplicates: int
) -> None:
    control(double, "mood", answer="lose", times=1, duplicates=duplicates)
    with pytest.raises(InsurerUnknown) as caught:
        insurer.report(REPORT)
    assert caught.value.temporary
    assert caught.value.may_have_acted
    assert insurer.report(REPORT).decision == "accepted"
    assert len(books(double)["covers"]) == 1


def test_a_lost_request_is_made_good_by_reporting_again(insurer: HttpInsurer, double: dict[str, Any]) -> None:
    control(double, "mood", answer="drop", times=1)
    with pytest.raises(InsurerUnknown):
        insurer.report(REPORT)
    assert books(double)["covers"] == []
    insurer.report(REPORT)
    assert len(books(double)["covers"]) == 1


@pytest.mark.parametrize("duplicates", [200, 409])
def test_another_report_under_a_known_version_is_a_mismatch(
    insurer: HttpInsurer, double: dict[str, Any], duplicates: int
) -> None:
    control(double, "mood", duplicates=duplicates)
    insurer.report(REPORT)
    with pytest.raises(InsurerMismatch) as caught:
        insurer.report(replace(REPORT, driver_ref="drv_other", liability=Span(START, END)))
    assert caught.value.fields == ("driver_ref", "liability")
    assert not caught.value.temporary


def test_an_insurer_that_wrote_something_else_down_is_found_out(
    insurer: HttpInsurer, double: dict[str, Any]
) -> None:
    control(double, "mood", answer="alter", times=1)
    insurer.report(REPORT)
    with pytest.raises(InsurerMismatch, match="driver_ref"):
        insurer.report(REPORT)


def test_a_later_version_stands_beside_the_first(insurer: HttpInsurer, double: dict[str, Any]) -> None:
    insurer.report(REPORT)
    closed = replace(
        REPORT,
        version=2,
        state="closed",
        liability=Span(START, END),
        covered_minutes=180,
        charged_minutes=175,
        premium=Premium(450, "EUR"),
        end_evidence="box",
    )
    insurer.report(closed)
    assert [one["report"]["version"] for one in books(double)["covers"]] == [1, 2]


def test_versions_may_arrive_in_any_order(insurer: HttpInsurer) -> None:
    insurer.report(replace(REPORT, version=2, state="active"))
    assert insurer.report(REPORT).version == 1


@pytest.mark.parametrize(
    ("answer", "raised", "retry_after"),
    [("down", InsurerUnavailable, 7.0), ("busy", InsurerUnavailable, 3.0), ("broken", InsurerUnknown, None)],
)
def test_an_insurer_in_trouble_is_asked_again_later(
    insurer: HttpInsurer,
    double: dict[str, Any],
    answer: str,
    raised: type[InsurerError],
    retry_after: float | None,
) -> None:
    control(double, "mood", answer=answer, times=1)
    with pytest.raises(raised) as caught:
        insurer.report(REPORT)
    assert caught.value.temporary
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert insurer.report(REPORT).decision == "accepted"


def test_a_slow_insurer_costs_no_more_than_the_time_limit(double: dict[str, Any]) -> None:
    control(double, "mood", answer="slow", seconds=5, times=1)
    hasty = insurer_of(double, read=0.5)
    began = time.monotonic()
    with pytest.raises(InsurerUnknown):
        hasty.report(REPORT)
    assert time.monotonic() - began < 4
    assert insurer_of(double).report(REPORT).decision == "accepted"
    assert len(books(double)["covers"]) == 1


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 201 Created\r\nX: ", b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n"]
)
def test_an_insurer_that_answers_drop_by_drop_costs_no_more_than_both_limits(head: bytes) -> None:
    with dripping(head) as port:
        began = time.monotonic()
        with pytest.raises(InsurerUnknown) as caught:
            HttpInsurer(f"http://127.0.0.1:{port}", BearerToken("t"), timeout=(0.5, 0.5)).report(REPORT)
        assert time.monotonic() - began < 3
    assert caught.value.temporary


def test_an_answer_without_end_is_not_read() -> None:
    endless = b"HTTP/1.1 201 Created\r\n\r\n" + b"[" * (2 * AT_MOST)
    with answering(endless) as (port, _), pytest.raises(InsurerUnknown, match=r"bytes|reset by peer"):
        HttpInsurer(f"http://127.0.0.1:{port}", BearerToken("t")).report(REPORT)


def test_nested_without_end_an_answer_is_none() -> None:
    body = b"[" * 100_000
    nested = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with answering(nested) as (port, _), pytest.raises(InsurerUnknown):
        HttpInsurer(f"http://127.0.0.1:{port}", BearerToken("t")).report(REPORT)


def test_where_tokens_are_given_too_fast_one_asks_again_later() -> None:
    busy = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
    with answering(busy) as (port, _), pytest.raises(InsurerUnavailable) as caught:
        ClientCredentials(token_url=f"http://127.0.0.1:{port}/", client_id="a", client_secret="b").token()
    assert caught.value.temporary


def test_of_a_reason_as_much_is_kept_as_can_be() -> None:
    body = b'{"code": "sanc\\u0000tions\\ud800%b", "detail": "no"}' % (b"x" * 500)
    declined = b"HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with answering(declined) as (port, _), pytest.raises(InsurerRefused) as caught:
        HttpInsurer(f"http://127.0.0.1:{port}", BearerToken("t")).report(REPORT)
    assert caught.value.code.startswith("sanctionsx")
    assert len(caught.value.code) <= 200


NONSENSE = [
    {"named_drivers": 5},
    {"liability": {"from": "0001-01-01T00:00:00+14:00", "to": None}},
    {"liability": ["from"], "car": "AB-123-CD"},
]


@pytest.mark.parametrize("held", NONSENSE)
def test_nonsense_in_an_insurers_books_is_another_cover(held: dict[str, Any]) -> None:
    assert set(held) <= {one.partition(".")[0] for one in differences(REPORT, {**to_json(REPORT), **held})}


def test_nobody_listening_is_surely_not_taken() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(InsurerUnavailable) as caught:
        HttpInsurer(f"http://127.0.0.1:{port}", BearerToken("t")).report(REPORT)
    assert not caught.value.may_have_acted


def test_a_declined_risk_is_final_and_names_its_reason(insurer: HttpInsurer, double: dict[str, Any]) -> None:
    control(double, "mood", answer="refuse", code="sanctions")
    with pytest.raises(InsurerRefused) as caught:
        insurer.report(REPORT)
    assert caught.value.code == "sanctions"
    assert not caught.value.temporary
    assert not caught.value.may_have_acted


def test_a_pending_cover_is_read_until_it_is_decided(insurer: HttpInsurer, double: dict[str, Any]) -> None:
    control(double, "mood", answer="pending", times=1)
    assert insurer.report(replace(REPORT, state="conditional")).decision == "pending"
    read = insurer.read("cov_1", 1)
    assert read is not None
    assert read.decision == "pending"
    control(double, "decide", cover="cov_1", version=1, decision="accepted")
    read = insurer.read("cov_1", 1)
    assert read is not None
    assert read.decision == "accepted"


def test_a_refusal_that_comes_later_is_told_when_read(insurer: HttpInsurer, double: dict[str, Any]) -> None:
    insurer.report(REPORT)
    control(double, "decide", cover="cov_1", version=1, decision="refused", code="sanctions")
    with pytest.raises(InsurerRefused) as caught:
        insurer.read("cov_1", 1)
    assert caught.value.code == "sanctions"


def test_what_the_insurer_never_got_reads_as_none(insurer: HttpInsurer) -> None:
    assert insurer.read("cov_never", 1) is None
    assert insurer.read("cov/../1", 1) is None


def test_a_wrong_secret_is_rejected_and_not_retried(double: dict[str, Any]) -> None:
    with pytest.raises(InsurerRejected) as caught:
        insurer_of(double, secret="wrong").report(REPORT)
    assert not caught.value.temporary
    assert books(double)["requests"] == 0


def test_a_forgotten_token_is_renewed_once(insurer: HttpInsurer, double: dict[str, Any]) -> None:
    insurer.report(REPORT)
    control(double, "forget_tokens")
    assert insurer.report(replace(REPORT, version=2)).version == 2


def test_a_fixed_token_the_insurer_does_not_know_is_rejected(double: dict[str, Any]) -> None:
    with pytest.raises(InsurerRejected):
        HttpInsurer(double["url"], BearerToken("guess")).report(REPORT)


def test_many_at_once_have_one_effect(insurer: HttpInsurer, double: dict[str, Any]) -> None:
    told: list[Acknowledgement] = []
    threads = [threading.Thread(target=lambda: told.append(insurer.report(REPORT))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 12
    assert len({one.reference for one in told}) == 1
    assert len(books(double)["covers"]) == 1


def test_secrets_are_not_shown_where_objects_are_logged() -> None:
    assert "hush" not in repr(BearerToken("hush"))


def test_settings_name_the_partner_of_each_country(double: dict[str, Any]) -> None:
    partners = partners_of(
        [
            {
                "countries": ["FR", "BE"],
                "url": double["url"],
                "token_url": double["token_url"],
                "client_id": double["client_id"],
                "client_secret": double["client_secret"],
            }
        ]
    )
    assert partners.by_country["FR"].report(REPORT).decision == "accepted"
    assert sorted(partners.by_country) == ["BE", "FR"]
    assert list(partners.each()) == ["BE"]


def test_a_country_may_have_several_partners_where_each_is_named() -> None:
    at = {"countries": ["FR"], "url": "https://a.example", "token": "t"}
    ids = [f"ins_{digit * 32}" for digit in "12"]
    partners = partners_of([at, *({**at, "insurer": one} for one in ids)])
    assert sorted(partners.named) == [("FR", ids[0]), ("FR", ids[1])]
    assert sorted(partners.each()) == ["FR", *ids]


def test_the_way_an_instant_is_written_is_no_difference() -> None:
    held = to_json(REPORT)
    held["liability"] = {"from": "2026-07-03T14:00:00.123+02:00", "to": None}
    assert differences(REPORT, held) == ()
    assert differences(REPORT, {}) == (
        "cover",
        "version",
        "state",
        "policy_number",
        "driver_ref",
        "car.plate",
        "liability",
        "own_damage",
    )


def test_other_named_drivers_are_another_cover_unless_the_insurer_keeps_none() -> None:
    named = replace(REPORT, named_drivers=(NamedDriver("drv_2", Span(START, END)),))
    held = to_json(named)
    assert differences(named, held) == ()
    assert differences(REPORT, held) == ("named_drivers",)
    assert differences(named, {**held, "named_drivers": []}) == ("named_drivers",)
    del held["named_drivers"]
    assert differences(named, held) == ()


def test_a_signed_head_is_kept_once_however_often_it_comes(
    insurer: HttpInsurer, double: dict[str, Any]
) -> None:
    control(double, "mood", answer="down", times=1)
    with pytest.raises(InsurerUnavailable):
        insurer.keep_head(1, "head")
    insurer.keep_head(1, "head")
    insurer.keep_head(1, "head")
    assert requests.get(f"{double['control']}/heads", timeout=5).json() == {"heads": ["head"]}
    with pytest.raises(InsurerMismatch):
        insurer.keep_head(1, "another")


def test_an_insurer_that_keeps_no_heads_is_left_alone(double: dict[str, Any]) -> None:
    elsewhere = {**double, "url": double["url"].removesuffix("/v1") + "/v0"}
    insurer_of(elsewhere).keep_head(1, "head")
