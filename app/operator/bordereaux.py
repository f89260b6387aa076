"""`flask --app wsgi bordereaux ...`: make a month's bordereaux by hand; workers do it on the sixth by themselves."""

import click
from flask.cli import AppGroup

from app.coverage import bordereaux as made
from app.kit.errors import NotFound, Validation


@click.group("bordereaux", cls=AppGroup)
def bordereaux() -> None:
    """Monthly lists of risks and premiums for insurers."""


@bordereaux.command("close")
@click.argument("month")
@click.option("--insurer", help="Its policies alone; every insurer's when left out.")
def close(month: str, insurer: str | None) -> None:
    """Make what is missing of MONTH (YYYY-MM), for every policy; what was made before stays as it is.

    One that cannot be made is named at the end; it keeps none of the others from being made.
    """
    try:
        lines = made.close(month, tell=_progress, insurer=insurer)
    except NotFound as error:
        raise click.BadParameter("no id of an insurer", param_hint="--insurer") from error
    except (Validation, ValueError) as error:
        raise click.BadParameter("a month as 2026-10 that is over everywhere", param_hint="MONTH") from error
    except made.NotMadeError as error:
        raise click.ClickException(f"{month} could not be made of {error}") from error
    click.echo(f"{month}: {lines} lines")


def _progress(policy: str, covers: int) -> None:
    click.echo(f"{policy}: {covers} covers looked at", err=True)
