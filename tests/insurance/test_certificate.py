"""A certificate proves itself offline, for as long as its key is published."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import segno
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

from insurance.certificate import (
    CertificateFacts,
    CertificateInvalid,
    SigningKey,
    issue,
    jwk_of_pem,
    jwks,
    key_of_pem,
    new_key,
    pem_of_jwk,
    public_jwk,
    verify,
)
from insurance.period import Span

START = datetime(2026, 7, 3, 12, 0, 0, 123_000, tzinfo=UTC)
FACTS = CertificateFacts(
    certificate="cert_1",
    version=1,
    issuer="https://glovebox.example",
    issued_at=START,
    cover="cov_1",
    status="active",
    insurer="Exemple Assurances",
    insurer_address="1 rue de la Paix, 75002 Paris",
    policy_number="FR-2026-1",
    policyholder="Glovebox SAS",
    plate="AB-123-CD",
    country="FR",
    make="Renault",
    model="Zoé",
    driver_ref="drv_7f3a",
    territory=("BE", "FR"),
    liability=Span(START),
    own_damage=Span(START, START + timedelta(hours=3)),
)
KEY, OLD = new_key(), new_key()
SET = jwks([public_jwk(KEY), public_jwk(OLD)])
TOKEN = issue(KEY, FACTS)


def part(token: str, place: int) -> dict[str, Any]:
    text = token.split(".")[place]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def signed(header: dict[str, Any], claims: dict[str, Any] | None = None, key: SigningKey = KEY) -> str:
    payload = json.dumps(part(TOKEN, 1) if claims is None else claims)
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    return jws.serialize_compact(header, payload, ECKey.import_key(key.private_pem), registry=registry)


def header(**other: Any) -> dict[str, Any]:
    return part(TOKEN, 0) | other


def test_a_certificate_says_what_was_signed() -> None:
    assert verify(SET, TOKEN) == FACTS


def test_it_names_its_type_its_key_and_nothing_else_in_the_header() -> None:
    assert part(TOKEN, 0) == {"typ": "cover-certificate+jwt", "alg": "ES256", "kid": KEY.kid}


def test_it_holds_the_eight_facts_of_the_memo_both_spans_and_no_name() -> None:
    claims = part(TOKEN, 1)
    memo = ("insurer", "insurer_address", "policy_number", "policyholder", "plate", "make", "model")
    assert all(claims[name] for name in memo)
    assert claims["liability"] == {"from": "2026-07-03T12:00:00.123Z", "to": None}
    assert claims["own_damage"]["to"] == "2026-07-03T15:00:00.123Z"
    assert claims["issued_at"] == "2026-07-03T12:00:00.123Z"
    assert claims["driver_ref"] == "drv_7f3a"
    assert not {"name", "driver", "exp"} & set(claims)


def test_it_names_further_drivers_by_pseudonym_and_says_nothing_where_there_are_none() -> None:
    named = replace(FACTS, named_drivers=("drv_1", "drv_2"))
    assert part(issue(KEY, named), 1)["named_drivers"] == ["drv_1", "drv_2"]
    assert verify(SET, issue(KEY, named)) == named
    assert "named_drivers" not in part(TOKEN, 1)


def test_a_certificate_with_as_many_drivers_as_a_policy_can_have_fits_into_a_code() -> None:
    many = replace(FACTS, named_drivers=tuple(f"drv_{number:032x}" for number in range(9)))
    assert int(segno.make(issue(KEY, many), error="m", micro=False, boost_error=False).version) <= 40


def test_a_certificate_of_a_retired_key_still_verifies() -> None:
    old = issue(OLD, FACTS)
    assert verify(jwks([public_jwk(KEY), public_jwk(OLD)]), old) == FACTS


def test_a_certificate_of_a_key_never_published_is_refused() -> None:
    with pytest.raises(CertificateInvalid, match="never published"):
        verify(jwks([public_jwk(OLD)]), TOKEN)


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("ABCxyz019-_."))
@settings(max_examples=150, deadline=None)
def test_a_changed_character_never_yields_other_facts(place: int, sign: str) -> None:
    altered = TOKEN[:place] + sign + TOKEN[place + 1 :]
    try:
        facts = verify(SET, altered)
    except CertificateInvalid:
        return
    assert facts == FACTS


def test_another_plate_under_the_old_signature_is_refused() -> None:
    head, _, signature = TOKEN.split(".")
    claims = json.dumps(part(TOKEN, 1) | {"plate": "ZZ-999-ZZ"}).encode()
    forged = base64.urlsafe_b64encode(claims).rstrip(b"=").decode()
    with pytest.raises(CertificateInvalid):
        verify(SET, f"{head}.{forged}.{signature}")


@pytest.mark.parametrize("typ", ["at+jwt", "JWT", "jwt", "cover-certificate", None])
def test_another_kind_of_token_signed_with_our_key_is_refused(typ: str | None) -> None:
    with pytest.raises(CertificateInvalid):
        verify(SET, signed(header(typ=typ) if typ else {"alg": "ES256", "kid": KEY.kid}))


def test_a_key_in_the_header_is_refused() -> None:
    thief = new_key()
    with pytest.raises(CertificateInvalid):
        verify(SET, signed(header(jwk=public_jwk(thief)), key=thief))
    with pytest.raises(CertificateInvalid):
        verify(SET, signed(header(jku="https://thief.example/jwks.json"), key=thief))
    with pytest.raises(CertificateInvalid):
        verify(SET, signed(header(), key=thief))


def test_no_signature_and_a_shared_secret_are_refused() -> None:
    claims = TOKEN.split(".")[1]
    none = base64.urlsafe_b64encode(json.dumps(header(alg="none")).encode()).rstrip(b"=").decode()
    with pytest.raises(CertificateInvalid):
        verify(SET, f"{none}.{claims}.")
    secret = OctKey.import_key(pem_of_jwk(public_jwk(KEY)).encode().replace(b"-----", b"     "))
    hmac = jws.serialize_compact(header(alg="HS256"), json.dumps(part(TOKEN, 1)), secret, ["HS256"])
    with pytest.raises(CertificateInvalid):
        verify(SET, hmac)


@pytest.mark.parametrize("claims", [[], {}, {"jti": 1}, {"liability": None}])
def test_a_signed_text_that_is_no_certificate_is_refused(claims: Any) -> None:
    with pytest.raises(CertificateInvalid):
        verify(SET, signed(header(), claims))


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b.c", "é", "x" * 9000, TOKEN + ".", TOKEN[:-9]],
    ids=["empty", "dot", "dots", "three", "accent", "long", "more", "cut"],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(CertificateInvalid):
        verify(SET, text)


def test_the_published_set_holds_no_private_part() -> None:
    private = ECKey.import_key(KEY.private_pem).as_dict(private=True) | {"kid": KEY.kid}
    assert "d" in private
    [published] = jwks([private])["keys"]
    assert set(published) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert "PRIVATE" not in repr(KEY)


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two different keys"):
        jwks([public_jwk(KEY), public_jwk(SigningKey(KEY.kid, OLD.private_pem))])


def test_a_key_keeps_its_name_through_pem_and_back() -> None:
    assert key_of_pem(KEY.private_pem) == KEY
    assert jwk_of_pem(pem_of_jwk(public_jwk(KEY))) == public_jwk(KEY)
    assert key_of_pem(KEY.private_pem, kid="2026-07").kid == "2026-07"


def test_a_key_of_another_curve_or_without_its_private_half_is_refused() -> None:
    with pytest.raises(ValueError, match="P-256"):
        key_of_pem(ECKey.generate_key("P-384").as_pem(private=True).decode())
    with pytest.raises(ValueError, match="P-256"):
        key_of_pem(pem_of_jwk(public_jwk(KEY)))
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="P-256"):
        jwk_of_pem(pem)


def test_an_instant_is_cut_to_the_millisecond_before_it_is_signed() -> None:
    finer = replace(FACTS, issued_at=START + timedelta(microseconds=456))
    assert verify(SET, issue(KEY, finer)) == FACTS
