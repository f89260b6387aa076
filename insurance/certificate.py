"""The signed proof of cover a driver carries, checked offline with our public keys.

A compact JWS, ES256, with its own `typ`: a person's or a partner's token never passes for one. ES256 rather
than EdDSA because a tool found on a police or insurer's desk (Debian's `jose`) reads it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from insurance.period import Span, instant, to_ms

TYP: Final = "cover-certificate+jwt"
ALG: Final = "ES256"
CURVE: Final = "P-256"
_MAX_BYTES: Final = 8192
_HEADERS: Final = frozenset({"typ", "alg", "kid"})
_TEXTS: Final = (
    "cover",
    "status",
    "insurer",
    "insurer_address",
    "policy_number",
    "policyholder",
    "plate",
    "country",
    "make",
    "model",
    "driver_ref",
)


class CertificateInvalid(Exception):
    """The token is not a certificate of ours, or was altered."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-256 key pair; `kid` is its RFC 7638 thumbprint unless it was named otherwise."""

    kid: str
    private_pem: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What the certificate says: the eight facts of the French memo, both spans, no driver's name.

    `status` is as issued; whether it still holds is asked at GET /certificates/{id}. `territory` are ISO
    3166-1 countries, `driver_ref` a pseudonym, as are `named_drivers`: who is insured besides.
    """

    certificate: str
    version: int
    issuer: str
    issued_at: datetime
    cover: str
    status: str
    insurer: str
    insurer_address: str
    policy_number: str
    policyholder: str
    plate: str
    country: str
    make: str
    model: str
    driver_ref: str
    territory: tuple[str, ...]
    liability: Span
    own_damage: Span
    named_drivers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "issued_at", to_ms(self.issued_at))


def new_key() -> SigningKey:
    """Make a fresh P-256 key pair."""
    return key_of_pem(ECKey.generate_key(CURVE).as_pem(private=True).decode())


def key_of_pem(private_pem: str, *, kid: str = "") -> SigningKey:
    """A stored private key; ValueError when it is not a private P-256 key."""
    key = ECKey.import_key(private_pem)
    if not key.is_private or key.curve_name != CURVE:
        raise ValueError("a certificate is signed with a private P-256 key")
    return SigningKey(kid or key.thumbprint(), private_pem)


def public_jwk(key: SigningKey) -> dict[str, Any]:
    """The public half as a JWK with kid, alg and use: what is kept when the private key is destroyed."""
    public = ECKey.import_key(key.private_pem).as_dict(private=False)
    return {"kty": "EC", "crv": CURVE, "x": public["x"], "y": public["y"]} | _usage(key.kid)


def jwk_of_pem(public_pem: str, *, kid: str = "") -> dict[str, Any]:
    """A public key kept as PEM, as a JWK."""
    key = ECKey.import_key(public_pem)
    public = key.as_dict(private=False)
    if public["crv"] != CURVE:
        raise ValueError("a certificate key lies on P-256")
    return {"kty": "EC", "crv": CURVE, "x": public["x"], "y": public["y"]} | _usage(kid or key.thumbprint())


def pem_of_jwk(jwk: Mapping[str, Any]) -> str:
    """The public half of a JWK as PEM."""
    return ECKey.import_key(_bare(jwk)).as_pem(private=False).decode()


def jwks(public_keys: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The set to publish: today's key and all retired ones; private parts are left out, if any are given."""
    keys: dict[str, dict[str, Any]] = {}
    for jwk in public_keys:
        kid = str(jwk["kid"])
        published = _bare(jwk) | _usage(kid)
        if keys.setdefault(kid, published) != published:
            raise ValueError(f"two different keys are called {kid}")
    return {"keys": list(keys.values())}


def issue(key: SigningKey, facts: CertificateFacts) -> str:
    """Sign the facts as a compact JWS."""
    return sign(key, TYP, json.dumps(_claims(facts), ensure_ascii=False, separators=(",", ":")))


def sign(key: SigningKey, typ: str, payload: str) -> str:
    """A compact JWS, ES256, with a `typ` by which nothing signed is taken for something else."""
    header = {"typ": typ, "alg": ALG, "kid": key.kid}
    return jws.serialize_compact(header, payload, ECKey.import_key(key.private_pem), [ALG])


def verify(keys: Mapping[str, Any], token: str) -> CertificateFacts:
    """The facts of a genuine certificate; CertificateInvalid otherwise. Says nothing of today's status.

    `keys` is a JWK set. The key is taken from it by `kid` alone: one inside the token's header is refused.
    """
    if len(token) > _MAX_BYTES:
        raise CertificateInvalid("too long for a certificate")
    try:
        signed = jws.extract_compact(token.encode("ascii"))
        header = signed.headers()
        _check_header(header)
        if not jws.validate_compact(signed, ECKey.import_key(_find(keys, header["kid"])), [ALG]):
            raise CertificateInvalid("the signature does not fit")
        return _facts(json.loads(signed.payload))
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CertificateInvalid(f"not a certificate: {error}") from error


def _check_header(header: Mapping[str, Any]) -> None:
    if set(header) != _HEADERS:
        raise CertificateInvalid("the header holds more or less than typ, alg and kid")
    if header["typ"] != TYP or header["alg"] != ALG:
        raise CertificateInvalid("signed as something else")


def _find(keys: Mapping[str, Any], kid: str) -> dict[str, Any]:
    for jwk in keys["keys"]:
        if jwk["kid"] == kid:
            return _bare(jwk)
    raise CertificateInvalid("signed with a key we never published")


def _bare(jwk: Mapping[str, Any]) -> dict[str, Any]:
    if jwk["kty"] != "EC" or jwk["crv"] != CURVE:
        raise ValueError("a certificate key lies on P-256")
    return {name: jwk[name] for name in ("kty", "crv", "x", "y")}


def _usage(kid: str) -> dict[str, str]:
    return {"kid": kid, "alg": ALG, "use": "sig"}


def _claims(facts: CertificateFacts) -> dict[str, Any]:
    """Named drivers are left out where there are none: the code on paper holds only so much."""
    named = {"named_drivers": list(facts.named_drivers)} if facts.named_drivers else {}
    return (
        named
        | {
            "iss": facts.issuer,
            "iat": int(facts.issued_at.timestamp()),
            "jti": facts.certificate,
            "version": facts.version,
            "issued_at": instant(facts.issued_at),
            "territory": list(facts.territory),
            "liability": facts.liability.as_json(),
            "own_damage": facts.own_damage.as_json(),
        }
        | {name: getattr(facts, name) for name in _TEXTS}
    )


def _facts(claims: Mapping[str, Any]) -> CertificateFacts:
    return CertificateFacts(
        certificate=claims["jti"],
        version=claims["version"],
        issuer=claims["iss"],
        issued_at=_read_instant(claims["issued_at"]),
        territory=tuple(claims["territory"]),
        liability=_read_span(claims["liability"]),
        own_damage=_read_span(claims["own_damage"]),
        named_drivers=tuple(claims.get("named_drivers", ())),
        **{name: claims[name] for name in _TEXTS},
    )


def _read_span(claim: Mapping[str, Any]) -> Span:
    to_at = claim["to"]
    return Span(_read_instant(claim["from"]), None if to_at is None else _read_instant(to_at))


def _read_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
