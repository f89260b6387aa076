"""HTTP of covers for people, of certificates for everybody, and the token endpoint of insurers' clients."""

from typing import Any

from flask import Response, current_app, request

from app.coverage import certificate, certificate_paper, lookup, partners, schemas, token
from app.coverage.models import Lookup
from app.kit.auth import Who, caller
from app.kit.described import COMMON_HEADERS
from app.kit.errors import NotAllowed
from app.kit.fields import Paging
from app.kit.http import Page
from app.kit.media import HTML, JOSE, JSON, PDF, file, html, wanted
from app.kit.rate_limits import address, allow_secret
from app.kit.routes import Routes

routes = Routes("coverage", __name__, url_prefix="/v1", description="Covers and certificates.")
public = Routes("certificates", __name__, description="Checking certificates, tokens for insurers.")


@routes.add(
    "GET",
    '/covers/<pid("cov"):cover>/certificate',
    summary="The signed certificate of one's cover (application/jose, PDF, or JSON)",
    returns=schemas.CertificateOut,
    media=(JSON, JOSE, PDF),
)
def read_cover_certificate(cover: str) -> Any:
    """The signed proof of the cover: a compact JWS, that inside JSON, or a page to show at the roadside."""
    form = wanted(JSON, JOSE, PDF)
    if form == PDF:
        return file(certificate_paper.on_paper(caller().person, cover), PDF, "certificate.pdf")
    signed = certificate.issue(caller().person, cover)
    if form == JOSE:
        return current_app.response_class(signed, mimetype=JOSE)
    return {"certificate": signed}


@routes.add(
    "GET",
    '/cars/<pid("car"):car>/lookups',
    summary="Which insurers looked the car up",
    query=Paging,
    returns=schemas.LookupPage,
    problems=(NotAllowed,),
)
def list_car_lookups(car: str, query: dict[str, Any]) -> Page:
    """Which insurers asked whether the car was covered, and what they were told."""
    found = lookup.of_car(caller().person, car, **query)
    return Page([_lookup(one) for one in found.items], found.next_cursor)


def _lookup(one: Lookup) -> dict[str, Any]:
    return {
        "id": one.id,
        "insurer": partners.find_insurer(one.insurer_id).name,
        "plate": one.plate,
        "at": one.at,
        "asked_at": one.asked_at,
        "covered": one.covered,
    }


@routes.add(
    "GET",
    '/certificates/<pid("crt"):certificate_id>',
    who=Who.ALL,
    summary="What became of a certificate",
    returns=schemas.CertificateStanding,
)
def read_certificate(certificate_id: str) -> certificate.Standing:
    """Whether the certificate stands: in force, closed or void; no names."""
    return certificate.standing(certificate.named(certificate_id))


@public.add(
    "GET",
    '/verify/<pid("crt"):certificate_id>',
    who=Who.ALL,
    summary="What became of a certificate, for whoever scans it",
    returns=schemas.CertificateStanding,
    media=(JSON, HTML),
)
def verify_certificate(certificate_id: str) -> Any:
    """Whether the certificate stands: in force, closed or void; no names. For a browser a page in its language."""
    if wanted(JSON, HTML) == HTML:
        return html(certificate_paper.page(certificate_id))
    return certificate.standing(certificate.named(certificate_id))


def _cached(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


@public.add(
    "GET",
    "/.well-known/jwks.json",
    who=Who.ALL,
    summary="The public keys of certificates",
    returns=schemas.JwkSet,
    after=_cached,
)
def read_jwks() -> dict[str, Any]:
    """The keys that verify certificates, those of earlier ones too."""
    return certificate.jwks()


_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["grant_type"],
                "properties": {
                    "grant_type": {"type": "string", "enum": ["client_credentials"]},
                    "scope": {"type": "string", "maxLength": 300, "pattern": "^[a-z:]+( [a-z:]+)*$"},
                    "client_id": {"type": "string", "maxLength": 36, "pattern": "^cli_[0-9a-f]{32}$"},
                    "client_secret": {"type": "string", "maxLength": 100, "pattern": "^[!-~]+$"},
                    "client_assertion_type": {"type": "string", "enum": [token.ASSERTION]},
                    "client_assertion": {"type": "string", "maxLength": 8192, "pattern": "^[A-Za-z0-9._-]+$"},
                },
            }
        }
    },
}


@public.add(
    "POST",
    "/oauth/token",
    who=Who.ALL,
    summary="A token for an insurer's client (RFC 6749, 4.4)",
    returns=schemas.TokenOut,
    secrets=("access_token",),
    raw=True,
)
@public.doc(requestBody=_FORM)
@public.alt_response(
    400, schema=schemas.TokenRefused, headers=COMMON_HEADERS, description="Refused (RFC 6749, 5.2)"
)
@public.alt_response(
    401,
    schema=schemas.TokenRefused,
    headers=COMMON_HEADERS,
    description="Not the client it says it is (RFC 6749, 5.2)",
)
def grant_token() -> Any:
    """A token of ten minutes for the scopes asked for, by secret, by a signed assertion used once, or by the certificate of
    the TLS alone where that was agreed.
    """
    try:
        form = _form()
        authorization = request.headers.get("Authorization")
        _guard(token.client_named(authorization, form))
        return token.grant(authorization, form)
    except token.TokenRefusedError as error:
        return _refusal(error)


def _form() -> dict[str, str]:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise token.TokenRefusedError("invalid_request", "Send application/x-www-form-urlencoded.")
    if request.args or any(len(values) > 1 for values in request.form.listvalues()):
        raise token.TokenRefusedError("invalid_request", "Send each parameter once, in the body.")
    return {name: value for name, value in request.form.items() if value and name in token.KNOWN}


def _guard(client: str) -> None:
    """Per client and address, so that nobody shuts another's client out by guessing at it."""
    limits = current_app.extensions["glovebox"].settings.limits
    allow_secret("oauth-address", address(), limits.secrets_address)
    allow_secret("oauth", f"{client} {address()}", limits.secrets_address)


def _refusal(error: token.TokenRefusedError) -> Response:
    body = current_app.json.dumps({"error": error.error, "error_description": error.description})
    answer = current_app.response_class(body, status=error.status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="glovebox"'
    return answer
