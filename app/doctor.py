"""`flask --app wsgi doctor`: what is missing or misconfigured, in words, and what to do; exit 1 when something is wrong.

It works with the database down, and when the settings are so wrong that the app cannot be made: then `wsgi.py` hands
over a `patient`, an app that can do nothing but be examined.
"""

import textwrap
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from app.kit.config import Settings
from app.operator import check_database, check_doors, check_settings, finding
from app.operator.finding import Finding, State

COLOURS = {State.OK: "green", State.WARNING: "yellow", State.WRONG: "red"}
NAME_AT_MOST, WORDS_AT_MOST = 34, 72


def examine(house: Settings) -> list[Finding]:
    """Everything that can be examined with these settings, within an application context."""
    return finding.run(
        (
            lambda: check_settings.of(house),
            lambda: iter(check_database.of(house)),
            lambda: check_doors.of(house),
        )
    )


@click.command("doctor")
@with_appcontext
def doctor() -> None:
    """Say what is missing or misconfigured, and what to do."""
    house = current_app.extensions.get("glovebox")
    found = (
        examine(house.settings)
        if house
        else check_settings.from_error(current_app.extensions["glovebox_ill"])
    )
    for line in report(found):
        click.echo(line)
    if any(one.state is State.WRONG for one in found):
        raise click.exceptions.Exit(1)


def report(found: Iterable[Finding]) -> Iterable[str]:
    """The findings as a table, and their count in one line."""
    rows = list(found)
    width = min(NAME_AT_MOST, max(len(one.what) for one in rows))
    for one in rows:
        words = textwrap.wrap(one.says, WORDS_AT_MOST) or [""]
        names = textwrap.wrap(one.what, width) or [""]
        told = [*words, *(f"-> {line}" for line in textwrap.wrap(one.remedy, WORDS_AT_MOST))]
        state = click.style(f"{one.state.value:7}", fg=COLOURS[one.state])
        for number in range(max(len(names), len(told))):
            name = names[number] if number < len(names) else ""
            line = told[number] if number < len(told) else ""
            yield f"{state if not number else ' ' * 7}  {name:{width}}  {line}".rstrip()
    counted = Counter(one.state for one in rows)
    yield ", ".join(f"{counted[state]} {state.value}" for state in State)


class _OnlyDoctor(AppGroup):
    """The one command an app has that could not be made; every other says why it is missing."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        return doctor if cmd_name == "doctor" else _refusing(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return ["doctor"]


def _refusing(name: str) -> click.Command:
    @with_appcontext
    def refuse(**_: Any) -> None:
        raise click.ClickException(f"{current_app.extensions['glovebox_ill']}\nAsk: flask --app wsgi doctor")

    unread = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(name, callback=refuse, context_settings=unread, add_help_option=False)


def patient(ill: Exception) -> Flask:
    """An app that could not be made: it has the doctor, and serves nothing. Only for the command line."""
    app = Flask("app", static_folder=None)
    app.cli = _OnlyDoctor("app")
    app.extensions["glovebox_ill"] = ill

    def serve_nothing(environ: Any, start_response: Any) -> Any:
        del environ, start_response
        raise ill

    app.wsgi_app = serve_nothing  # type: ignore[method-assign]
    return app
