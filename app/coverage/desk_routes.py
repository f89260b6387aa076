"""The page for an insurer's human: three files of ours, served as they lie; all it shows comes through the API."""

from pathlib import Path

from flask import Blueprint, Response, current_app

routes = Blueprint("desk", __name__, url_prefix="/insurer")
FOLDER = Path(__file__).parent / "desk"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; connect-src 'self'; form-action 'none';"
    " frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
)
"""Pictures are fetched with the token and shown from memory, hence blob:. Forms are sent by the script alone."""


@routes.get("/")
def page() -> Response:
    """Sign in, look up, see the life of a cover, fetch bordereaux."""
    return _file("page.html", "text/html")


@routes.get("/page.js")
def script() -> Response:
    """What the page runs; a file of its own, so that the page needs no inline script."""
    return _file("page.js", "text/javascript")


@routes.get("/page.css")
def style() -> Response:
    """How it looks."""
    return _file("page.css", "text/css")


def _file(name: str, kind: str) -> Response:
    answer: Response = current_app.response_class((FOLDER / name).read_bytes(), mimetype=kind)
    answer.headers["Content-Security-Policy"] = CSP
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
