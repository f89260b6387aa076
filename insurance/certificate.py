"""The signed proof of cover a driver carries, checked offline with our public keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from insurance.period import Span

TYP = "cover-certificate+jwt"
ALG = "ES256"


class CertificateInvalid(Exception):
    """The token is not a certificate of ours, or was altered."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-256 key pair; `kid` is the RFC 7638 thumbprint unless an older one is kept."""

    kid: str
    private_pem: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What the certificate says: the eight facts of the French memo, both spans, no driver's name.

    `status` is as issued; whether it still holds is asked at GET /certificates/{id}.
    """

    certificate: str
    version: int
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
    issued_at: datetime
    liability: Span
    own_damage: Span
    issuer: str


def new_key() -> SigningKey:
    """Make a fresh P-256 key pair."""
    raise NotImplementedError


def public_jwk(key: SigningKey) -> dict[str, Any]:
    """The public half as a JWK with kid, alg and use."""
    raise NotImplementedError


def jwks(public_keys: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The set to publish: today's key and every retired one, public halves only."""
    raise NotImplementedError


def issue(key: SigningKey, facts: CertificateFacts) -> str:
    """Sign the facts as a compact JWS."""
    raise NotImplementedError


def verify(keys: Mapping[str, Any], token: str) -> CertificateFacts:
    """The facts of a genuine certificate; CertificateInvalid otherwise. Says nothing about today's status."""
    raise NotImplementedError
