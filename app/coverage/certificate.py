"""The driver's proof of cover: signed, checked offline with our published keys, and what became of it since."""

from datetime import datetime
from typing import Any, TypedDict

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from app.cars.models import Car
from app.coverage import master_policies, named_drivers, versions
from app.coverage.models import Cover
from app.kit import clock
from app.kit.db import session
from app.kit.errors import NotFound
from app.kit.keys import Purpose, ring, settings
from insurance import certificate
from insurance.certificate import CertificateFacts, SigningKey
from insurance.period import Span

STATUS = {
    "conditional": "conditional",
    "bound": "in_force",
    "active": "in_force",
    "closed": "closed",
    "void": "void",
}


def issue(person: str, cover_id: str) -> str:
    """The certificate of a cover as it stands, as a compact JWS; for who drives under it. Raises NotFound."""
    return of(of_driver(person, cover_id))


def of_driver(person: str, cover_id: str) -> Cover:
    """For who booked, and for who is named now. Raises NotFound for anybody else."""
    cover: Cover | None = session.get(Cover, cover_id)
    if cover is None:
        raise NotFound
    if cover.driver_id != person and named_drivers.find(cover.rental_id, person) is None:
        raise NotFound
    return cover


def of(cover: Cover) -> str:
    """Issued for whoever may have it: who drives, and its insurer after a loss."""
    return signed(facts_of(cover))


def signed(facts: CertificateFacts) -> str:
    return certificate.issue(signing_key(), facts)


def signing_key() -> SigningKey:
    """Today's, of certificates and of whatever else an insurer is to check with the same key set."""
    key = ring().signing(Purpose.CERTIFICATES)
    return SigningKey(key.kid, key.private_pem.decode())


def facts_of(cover: Cover) -> CertificateFacts:
    terms = master_policies.of_cover(cover)
    to, own_damage_to = versions.spans_shown(cover)
    return CertificateFacts(
        certificate=cover.certificate_id,
        version=cover.version,
        issuer=settings().public_url,
        issued_at=clock.now(),
        cover=cover.id,
        status=cover.state,
        insurer=terms.insurer,
        insurer_address=terms.insurer_address,
        policy_number=terms.number,
        policyholder=terms.policyholder,
        plate=cover.car["plate"],
        country=cover.car["country"],
        make=cover.car["make"],
        model=cover.car["model"],
        driver_ref=cover.driver_ref,
        territory=tuple(sorted(terms.territory)),
        liability=Span(cover.from_at, to),
        own_damage=Span(cover.from_at, own_damage_to),
        named_drivers=_named(cover, to),
    )


def _named(cover: Cover, to: datetime | None) -> tuple[str, ...]:
    """Who is insured besides as it is issued; of a cover that is over, who was until its end."""
    return tuple(one.driver_ref for one in named_drivers.insured(cover, to) if one.to_at == to)


class Standing(TypedDict):
    """What became of a certificate."""

    certificate: str
    status: str
    version: int
    liability: dict[str, Any]
    own_damage: dict[str, Any]
    checked_at: datetime


def standing(cover: Cover) -> Standing:
    """Whether a cover's certificate is conditional, in force, closed or void, and the cover's spans; no names."""
    to, own_damage_to = versions.spans_shown(cover)
    return {
        "certificate": cover.certificate_id,
        "status": STATUS[cover.state],
        "version": cover.version,
        "liability": {"from_": cover.from_at, "to": to},
        "own_damage": {"from_": cover.from_at, "to": own_damage_to},
        "checked_at": clock.now(),
    }


def zone_of(cover: Cover) -> str:
    """The time zone of the car's place."""
    return session.get_one(Car, cover.car_id).time_zone


def named(certificate_id: str) -> Cover:
    """The cover that a certificate is of. Raises NotFound."""
    statement = select(Cover).where(Cover.certificate_id == certificate_id)
    cover: Cover | None = session.scalars(statement).first()
    if cover is None:
        raise NotFound
    return cover


def jwks() -> dict[str, Any]:
    """The public keys of certificates, those of retired ones included: a certificate outlives its key."""
    ring().signing(Purpose.CERTIFICATES)
    keys = [
        certificate.jwk_of_pem(
            key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), kid=key.kid
        )
        for key in ring().all(Purpose.CERTIFICATES)
    ]
    return certificate.jwks(keys)
