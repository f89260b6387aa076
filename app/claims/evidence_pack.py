"""The evidence of a claim: what our records say of its cover, as a signed ZIP file; who fetches it is written down."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.cars.models import Car
from app.claims import evidence_drivers, loss, use
from app.claims import evidence_files as files
from app.coverage import certificate, coverage_at, log_proof
from app.coverage.loss_models import Claim, EvidenceRead
from app.coverage.models import COV, Cover
from app.kit import clock
from app.kit.auth import Partner
from app.kit.db import bare, release, session, transactional
from app.kit.keys import settings
from app.kit.storage import NotKeptError, Storage
from app.rentals import photos
from app.rentals.models import Rental
from insurance import evidence
from insurance.evidence import File, as_json


@dataclass(frozen=True, slots=True)
class _Found:
    """What the records hold, as plain values: files by name, and where each photo lies."""

    about: dict[str, Any]
    at: datetime
    files: dict[str, Any]
    certificate: str
    proved: list[int]
    photos: list[tuple[str, str]]


def pack(partner: Partner, claim: str, *, named: bool) -> Iterator[bytes]:
    """The archive piece by piece, one file at a time in memory. `named`: with who drove.

    Raises NotFound, and Unavailable where there are photos that cannot be reached.
    """
    found = _gathered(partner, claim, named=named)
    about, insurer = found.about, partner.insurer
    if named:
        _name_drivers(found, partner)
    words = [File(name, as_json(value)) for name, value in found.files.items()]
    words.append(File("certificate.jws", found.certificate.encode()))
    words.append(File("jwks.json", as_json(certificate.jwks())))
    if named:
        words.append(
            File("driver.json", as_json(coverage_at.driver(bare(about["cover"], COV), partner.client)))
        )
    words += [
        File(f"proofs/version-{version}.json", as_json(_proof(insurer, about["cover"], version)))
        for version in found.proved
    ]
    storage = photos.storage() if found.photos else None
    key = certificate.signing_key()
    release()
    return evidence.packed(
        _with_photos(words, storage, found.photos), about, found.at, lambda text: evidence.sign(key, text)
    )


def _name_drivers(found: _Found, partner: Partner) -> None:
    """Who is behind the pseudonyms of those who were named."""
    rows = found.files["named_drivers.json"]
    refs = [row["driver_ref"] for row in rows]
    cover = bare(found.about["cover"], COV)
    who = coverage_at.identities(cover, partner.insurer, refs, partner.client)
    for row in rows:
        row["driver"] = who[row["driver_ref"]]


def _with_photos(
    words: list[File], storage: Storage | None, pictures: list[tuple[str, str]]
) -> Iterator[File]:
    yield from words
    for name, place in pictures:
        assert storage is not None
        yield File(name, _kept(storage, place))


def _kept(storage: Storage, place: str) -> bytes | None:
    try:
        return storage.get(place)
    except NotKeptError:
        return None


def _proof(insurer: str, cover: str, version: int) -> dict[str, Any]:
    """As `GET /covers/{id}/proof` answers."""
    found = log_proof.proof(insurer, cover, version)
    return {name: value for name, value in found.items() if name in ("cover", "fact", "head", "path")}


@transactional
def _gathered(partner: Partner, claim: str, *, named: bool) -> _Found:
    """All that is asked of the database, and the row that says who asked."""
    row = loss.find(partner.insurer, claim)
    now = clock.now()
    session.add(EvidenceRead(claim_id=row.id, client_id=partner.client, read_at=now, named=named))
    cover = session.get_one(Cover, row.cover_id)
    rental = session.get_one(Rental, row.rental_id)
    found, pictures = _files(row, cover, rental), files.photos(rental)
    about = {
        "iss": settings().public_url,
        "iat": int(now.timestamp()),
        "claim": row.id,
        "reference": row.reference,
        "cover": cover.id,
        "client": partner.client,
    }
    return _Found(
        about=about,
        at=now,
        files=found | {"photos.json": files.listed(pictures)},
        certificate=certificate.of(cover),
        proved=[one["cover"]["version"] for one in found["cover.json"]["versions"] if one["position"]],
        photos=[(files.file_of(one), one.file) for one in pictures],
    )


def _files(row: Claim, cover: Cover, rental: Rental) -> dict[str, Any]:
    return {
        "claim.json": {"claim": loss.as_json(row), "history": loss.history(row.id)},
        "cover.json": files.versions(cover),
        "booking.json": files.booking(rental),
        "licence.json": evidence_drivers.licence(cover, cover.driver_id, cover.from_at),
        "named_drivers.json": evidence_drivers.named(cover),
        "eligibility.json": files.judged(cover, session.get_one(Car, rental.car_id)),
        "commands.json": files.commands(rental),
        "events.json": files.happened(rental),
        "readings.json": files.readings(rental, cover),
        "use.json": use.of_cover(row.insurer_id, cover.id),
        "money.json": files.money(rental, cover),
        "messages.json": files.told(rental),
    }
