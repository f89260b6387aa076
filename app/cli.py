"""Commands: `flask --app wsgi ...`."""

import click
from flask import Flask, current_app

from app.kit import openapi


def install(app: Flask) -> None:
    """Hang the commands on the app."""
    app.cli.add_command(write_openapi)


@click.command("openapi")
@click.option("--check", is_flag=True, help="Only compare; exit 1 when openapi.yaml is out of date.")
@click.argument("path", type=click.Path(), default="openapi.yaml")
def write_openapi(path: str, *, check: bool) -> None:
    """Write the contract, openapi.yaml."""
    from pathlib import Path

    wanted = openapi.document(current_app)  # type: ignore[arg-type]
    file = Path(path)
    if check:
        if not file.exists() or file.read_text("utf-8") != wanted:
            raise click.ClickException("openapi.yaml is out of date: run `make openapi`")
        click.echo("openapi.yaml is up to date")
        return
    file.write_text(wanted, "utf-8")
    click.echo(f"wrote {path}")
