"""What operators send and read of insurers, their clients and policies."""

from marshmallow import fields

from app.coverage.partners import SCOPES
from app.kit.client_certificate import THUMBPRINT
from app.kit.fields import (
    Country,
    Instant,
    Many,
    OneOf,
    PublicIdField,
    Strict,
    Text,
    Whole,
    line,
)
from app.kit.routes import page_of
from app.operator.schemas import OperatorReason


class BlockLifted(Strict):
    """Who drives again under whose policies."""

    insurer = PublicIdField("ins", required=True)
    person = PublicIdField("per", required=True)


class InsurerIn(OperatorReason):
    """An insurer."""

    name = line(80, required=True)


class Insurer(Strict):
    """An insurer we have a contract with."""

    id = PublicIdField("ins", required=True)
    name = Text(80)
    made_at = Instant()


InsurerPage = page_of(Insurer, "Insurer")


class ClientKey(Strict):
    """A public key on P-256."""

    kty = OneOf(("EC",), required=True)
    crv = OneOf(("P-256",), required=True)
    x = Text(43, required=True)
    y = Text(43, required=True)
    kid = Text(80)
    alg = OneOf(("ES256",))
    use = OneOf(("sig",))


class ClientIn(OperatorReason):
    """A program of an insurer's: with public keys of its own, else it is given a secret."""

    label = line(40, required=True)
    scopes = Many(OneOf(SCOPES), len(SCOPES), least=1, required=True)
    public_keys = Many(fields.Nested(ClientKey), 5)
    certificate_sha256 = Text(43, shortest=43, pattern=THUMBPRINT)
    certificate_alone = fields.Boolean(
        metadata={"description": "The certificate is its proof: it is given no secret (RFC 8705, 2.2)."}
    )


class PartnerClient(Strict):
    """A program of an insurer's; its secret is shown once."""

    id = PublicIdField("cli", required=True)
    insurer = PublicIdField("ins")
    label = Text(40)
    scopes = Many(OneOf(SCOPES), len(SCOPES))
    has_keys = fields.Boolean()
    certificate_sha256 = Text(43, allow_none=True)
    client_secret = Text(100, allow_none=True)
    made_at = Instant()
    rotated_at = Instant(allow_none=True)


PartnerClientPage = page_of(PartnerClient, "PartnerClient")


class MasterPolicyIn(OperatorReason):
    """One version of a master policy as the contract says it; `active`: covers are bound under it from now on."""

    insurer = PublicIdField("ins", required=True)
    policy = fields.Dict(keys=Text(60), required=True, metadata={"maxProperties": 60})
    active = fields.Boolean(required=True)


class InForce(Strict):
    """Where and when covers are bound under a policy."""

    country = Country()
    from_ = Instant(data_key="from")
    to = Instant()


class MasterPolicy(Strict):
    """A version of a master policy, which never changes."""

    id = PublicIdField("pol", required=True)
    insurer = PublicIdField("ins")
    number = Text(100)
    version = Whole(1, 10**6)
    policy = fields.Dict(keys=Text(60), metadata={"maxProperties": 60})
    in_force = Many(fields.Nested(InForce), 100)
    made_at = Instant()
