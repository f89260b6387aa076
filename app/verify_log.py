"""`flask --app wsgi verify-log FILE`: does an export of the log hold together, and do its heads carry our signatures?"""

from pathlib import Path

import click
from flask.cli import with_appcontext

from app.coverage import certificate
from insurance import verify_log as verifier


@click.command("verify-log")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--heads",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Signed heads that were kept elsewhere, one a line.",
)
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The kept head after which FILE begins (`export log --after`).",
)
@with_appcontext
def verify_log(file: Path, heads: Path | None, since: Path | None) -> None:
    """Check FILE, made by `export log`: exit 1 and the positions when something was changed, removed or put in.

    insurance/verify_log.py does the same on a machine that has neither this service nor its database.
    """
    kept = [one for one in heads.read_text("utf-8").splitlines() if one] if heads else []
    with file.open(encoding="utf-8") as lines:
        begins = since.read_text("utf-8").strip() if since else None
        wrong, log = verifier.verify(lines, keys=certificate.jwks(), kept=kept, since=begins, tell=_progress)
    for one in wrong:
        click.echo(one)
    click.echo(verifier.said(wrong, log, signed=True))
    if wrong:
        raise click.exceptions.Exit(1)


def _progress(lines: int) -> None:
    click.echo(f"{lines} lines read", err=True)
