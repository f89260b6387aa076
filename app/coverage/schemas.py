"""What people and everybody read about certificates and look-ups."""

from marshmallow import fields

from app.kit.fields import Instant, Many, OneOf, PublicIdField, Strict, Text, Whole
from app.kit.routes import page_of

ANSWERS = ("yes", "no", "unknown")


class OpenSpan(Strict):
    """A half-open span [from, to); a null `to` is still open."""

    from_ = Instant(required=True, data_key="from")
    to = Instant(required=True, allow_none=True)


class LookupOut(Strict):
    """Somebody's look-up of a car."""

    id = PublicIdField("lku")
    insurer = Text(200)
    plate = Text(20)
    at = Instant()
    asked_at = Instant()
    covered = OneOf(ANSWERS)


LookupPage = page_of(LookupOut, "Lookup")


class CertificateOut(Strict):
    """The signed certificate, a compact JWS (ES256)."""

    certificate = Text(8192, required=True)


class CertificateStanding(Strict):
    """What became of a certificate; no names."""

    certificate = PublicIdField("crt", required=True)
    status = OneOf(("conditional", "in_force", "closed", "void"), required=True)
    version = Whole(1, 10**6)
    liability = fields.Nested(OpenSpan)
    own_damage = fields.Nested(OpenSpan)
    checked_at = Instant(required=True)


class Jwk(Strict):
    """A public key on P-256."""

    kty = OneOf(("EC",))
    crv = OneOf(("P-256",))
    x = Text(43)
    y = Text(43)
    kid = Text(80)
    alg = OneOf(("ES256",))
    use = OneOf(("sig",))


class JwkSet(Strict):
    """The public keys of certificates."""

    keys = Many(fields.Nested(Jwk), 1000, required=True)


class TokenOut(Strict):
    """A token for a partner (RFC 6749)."""

    access_token = Text(4096)
    token_type = OneOf(("Bearer",))
    expires_in = Whole(1, 3600)
    scope = Text(300)


class TokenRefused(Strict):
    """Why no token was given (RFC 6749, 5.2)."""

    error = OneOf(
        (
            "invalid_request",
            "invalid_client",
            "unauthorized_client",
            "unsupported_grant_type",
            "invalid_scope",
        ),
        required=True,
    )
    error_description = Text(500)
