"""`flask --app wsgi bordereaux ...`: make a month's bordereaux by hand; workers do it on the sixth by themselves."""

import click
from flask.cli import AppGroup

from app.coverage import bordereaux as made
from app.kit.errors import Validation


@click.group("bordereaux", cls=AppGroup)
def bordereaux() -> None:
    """Monthly lists of risks and premiums for insurers."""


@bordereaux.command("close")
@click.argument("month")
def close(month: str) -> None:
    """Make what is missing of MONTH (YYYY-MM), for every policy; what was made before stays as it is."""
    try:
        lines = made.close(month, tell=_progress)
    except (Validation, ValueError) as error:
        raise click.BadParameter("a month as 2026-10 that is over everywhere", param_hint="MONTH") from error
    click.echo(f"{month}: {lines} lines")


def _progress(covers: int) -> None:
    click.echo(f"{covers} covers looked at", err=True)
