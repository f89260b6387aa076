"""What is open to all: health, the contract and its page, problem types, which links an app opens."""

from importlib.resources import files
from typing import Any

from flask import Blueprint, Response, current_app, render_template_string

from app.kit import i18n, media, ready
from app.kit.errors import BY_SLUG, NotFound

routes = Blueprint("open", __name__)


@routes.get("/healthz")
def healthz() -> dict[str, str]:
    """Whether the process answers at all."""
    return {"status": "ok"}


@routes.get("/readyz")
def readyz() -> ready.Answer:
    """Database and migrations decide; the rest is shown as degraded."""
    return ready.answer()


@routes.get("/openapi.yaml")
def openapi_yaml() -> Response:
    """The contract."""
    return current_app.response_class((ready.ROOT / "openapi.yaml").read_bytes(), mimetype="application/yaml")


_DOCS = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Glovebox API</title><link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="contract"></div><noscript>The contract itself: <a href="/openapi.yaml">openapi.yaml</a></noscript>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></html>"""
_START = """SwaggerUIBundle({url: "/openapi.yaml", dom_id: "#contract", deepLinking: true, validatorUrl: null,
  docExpansion: "none", displayRequestDuration: false, supportedSubmitMethods: []});"""
_DOCS_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


@routes.get("/docs")
def docs_page() -> Response:
    """The contract to read: Swagger UI from its package, nothing from elsewhere."""
    answer = current_app.response_class(_DOCS, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _DOCS_CSP
    return answer


@routes.get("/docs/start.js")
def docs_start() -> Response:
    """What the page runs; a file of its own, so that the page needs no inline script."""
    return current_app.response_class(_START, mimetype="text/javascript")


@routes.get("/docs/<any('swagger-ui.css','swagger-ui-bundle.js'):file>")
def docs_file(file: str) -> Response:
    """A file of Swagger UI."""
    kind = "text/css" if file.endswith(".css") else "text/javascript"
    answer = current_app.response_class(
        files("flask_swagger_ui").joinpath("dist", file).read_bytes(), mimetype=kind
    )
    answer.headers["Cache-Control"] = "public, max-age=86400"
    return answer


_PROBLEM = """<!doctype html><html lang="{{ language }}"><meta charset="utf-8"><title>{{ title }}</title>
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
<h1>{{ title }}</h1><p>{{ say("page.problem.type", status=status, type="/problems/" + slug) }}</p>
<p>{{ say("page.problem." + acted) }} {{ say("page.problem." + again) }}</p>"""


@routes.get("/problems/<slug>")
def problem_page(slug: str) -> Response:
    """What a problem type means, for whoever follows its link."""
    kind = BY_SLUG.get(slug)
    if kind is None:
        raise NotFound
    page = render_template_string(
        _PROBLEM,
        language=i18n.reader(),
        title=i18n.title(slug, kind.title),
        status=kind.status,
        slug=slug,
        say=i18n.say,
        acted="acted" if kind.may_have_acted else "not_acted",
        again="temporary" if kind.temporary else "lasting",
    )
    return media.html(page)


_PAYOUTS = """<!doctype html><html lang="{{ language }}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Glovebox</title><style>body{font:18px/1.5 system-ui;max-width:32rem;margin:4rem auto;padding:0 1rem}</style>
<h1>{{ say("page.payouts.title") }}</h1><p>{{ say("page.payouts.body") }}</p>"""


@routes.get("/payouts/<any('done','again'):how>")
def payouts_link(how: str) -> Response:
    """Where the payment provider sends an owner back to without the app: all said, or the link had been used."""
    del how
    return media.html(render_template_string(_PAYOUTS, language=i18n.reader(), say=i18n.say))


@routes.get("/.well-known/apple-app-site-association")
def apple_links() -> dict[str, Any]:
    """Which links the iOS app opens."""
    ids = current_app.extensions["glovebox"].settings.apple_app_ids
    components = [{"/": "/i/*"}, {"/": "/payouts/*"}]
    return {
        "applinks": {"details": [{"appIDs": list(ids), "components": components}]} if ids else {"details": []}
    }


@routes.get("/.well-known/assetlinks.json")
def android_links() -> Response:
    """Which links the Android app opens."""
    fingerprints = current_app.extensions["glovebox"].settings.android_fingerprints
    package = current_app.extensions["glovebox"].settings.android_package
    body = (
        [
            {
                "relation": ["delegate_permission/common.handle_all_urls"],
                "target": {
                    "namespace": "android_app",
                    "package_name": package,
                    "sha256_cert_fingerprints": list(fingerprints),
                },
            }
        ]
        if package
        else []
    )
    answer: Response = current_app.json.response(body)  # type: ignore[assignment]
    return answer
