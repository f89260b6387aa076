"""Tables of claims: an insurer's notices of loss on its covers, every version of them, and who took their evidence."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.coverage.models import CLI, COV, INS
from app.kit.db import Big, Model, PublicId, new_id

CLM, EVR = "clm", "evr"


class Claim(Model):
    """A notice of loss on one cover, as it stands. Amounts are the insurer's, in minor units of the cover's currency."""

    __tablename__ = "claims"
    __table_args__ = (
        UniqueConstraint("insurer_id", "reference"),
        Index("claims_insurer_idx", "insurer_id", "id"),
    )
    id: Mapped[str] = mapped_column(PublicId(CLM), primary_key=True, default=lambda: new_id(CLM))
    insurer_id: Mapped[str] = mapped_column(PublicId(INS), ForeignKey("insurers.id"))
    cover_id: Mapped[str] = mapped_column(PublicId(COV), ForeignKey("covers.id"), index=True)
    rental_id: Mapped[str] = mapped_column(PublicId("ren"), index=True)
    reference: Mapped[str]
    occurred_at: Mapped[datetime]
    text: Mapped[str]
    currency: Mapped[str]
    status: Mapped[str]
    denied: Mapped[bool]
    reserve_indemnity: Mapped[Big]
    reserve_fees: Mapped[Big]
    paid_indemnity: Mapped[Big]
    paid_fees: Mapped[Big]
    version: Mapped[int]
    notified_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    over_at: Mapped[datetime | None]


class ClaimVersion(Model):
    """A claim as it was recorded once: rows are only added, one per fact. `data` is what the insurer reads."""

    __tablename__ = "claim_versions"
    claim_id: Mapped[str] = mapped_column(PublicId(CLM), ForeignKey("claims.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    fact_seq: Mapped[Big] = mapped_column(BigInteger, unique=True)
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(PublicId(CLI), ForeignKey("partner_clients.id"))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class ClaimReported(Model):
    """What a claim was last reported as: its version, and what of it all lines have shown as paid, in minor units."""

    __tablename__ = "claims_reported"
    claim_id: Mapped[str] = mapped_column(PublicId(CLM), ForeignKey("claims.id"), primary_key=True)
    version: Mapped[int]
    paid_indemnity: Mapped[Big]
    paid_fees: Mapped[Big]


class EvidenceRead(Model):
    """Somebody fetched the evidence of a claim; `named`: with who drove."""

    __tablename__ = "evidence_read"
    id: Mapped[str] = mapped_column(PublicId(EVR), primary_key=True, default=lambda: new_id(EVR))
    claim_id: Mapped[str] = mapped_column(PublicId(CLM), ForeignKey("claims.id"), index=True)
    client_id: Mapped[str] = mapped_column(PublicId(CLI), ForeignKey("partner_clients.id"))
    read_at: Mapped[datetime]
    named: Mapped[bool]
