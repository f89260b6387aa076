"""Commands: `flask --app wsgi ...`."""

import re
import signal
from datetime import timedelta
from pathlib import Path

import click
import requests
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from app.billing import compare, differences
from app.billing import reconcile as compared
from app.broker import broker
from app.doctor import doctor
from app.kit import clock, openapi, playground
from app.kit.config import BadSettingsError, Settings
from app.kit.errors import Unavailable
from app.kit.logs import configure
from app.kit.priority import give_way
from app.operator import money_commands
from app.operator.bordereaux import bordereaux
from app.operator.commands import operator
from app.operator.export import export
from app.verify_log import verify_log
from payments.gateway import PaymentsError

MORE = (money_commands,)
"""Importing them adds their commands to the others of the operators."""


def install(app: Flask) -> None:
    """Hang the commands on the app."""
    for command in (
        *(write_openapi, run_worker, run_boxlink, clock_group, reconcile),
        *(operator, export, doctor, broker, verify_log, bordereaux),
    ):
        app.cli.add_command(command)


def _app() -> Flask:
    found: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return found


def _settings() -> Settings:
    found: Settings = current_app.extensions["glovebox"].settings
    return found


def _refuse_played() -> None:
    try:
        playground.refuse_played(_settings())
    except BadSettingsError as error:
        raise click.ClickException(str(error)) from error


@click.command("openapi")
@click.option("--check", is_flag=True, help="Only compare; exit 1 when openapi.yaml is out of date.")
@click.argument("path", type=click.Path(), default="openapi.yaml")
@with_appcontext
def write_openapi(path: str, *, check: bool) -> None:
    """Write the contract, openapi.yaml."""
    wanted = openapi.document(_app())
    file = Path(path)
    if check:
        if not file.exists() or file.read_text("utf-8") != wanted:
            raise click.ClickException("openapi.yaml is out of date: run `make openapi`")
        click.echo("openapi.yaml is up to date")
        return
    file.write_text(wanted, "utf-8")
    click.echo(f"wrote {path}")


@click.command("worker")
@click.option("--concurrency", default=6, show_default=True, help="Jobs at once.")
@click.option(
    "--nice", default=10, show_default=True, help="Gives way by so much to requests on the same machine."
)
@with_appcontext
def run_worker(concurrency: int, nice: int) -> None:
    """Run jobs, seal facts, work off deadlines."""
    from app import worker

    give_way(nice)
    configure("worker")
    _refuse_played()
    worker.run(_app(), concurrency=concurrency)


@click.command("boxlink")
@with_appcontext
def run_boxlink() -> None:
    """Speak with the car boxes."""
    from app.boxlink import BoxLink
    from carbox.box import BoxListener
    from carbox.mqtt_link import BrokerAddress
    from carbox.ovms import OvmsBoxes

    configure("boxlink")
    _refuse_played()
    house = _settings()

    def door(listener: BoxListener, client_id: str) -> OvmsBoxes:
        broker = BrokerAddress(
            house.mqtt_host,
            house.mqtt_port,
            house.mqtt_username,
            house.mqtt_password,
            client_id=client_id,
            ca_file=house.mqtt_ca_file or None,
        )
        return OvmsBoxes(broker, listener, clock.real_now)

    link = BoxLink(_app(), house, door)
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: link.stop())
    link.run()


@click.command("reconcile")
@with_appcontext
def reconcile() -> None:
    """Compare our payments with the provider's now and print what differs; exit 1 when something does."""
    try:
        found = compared.run(banks=True)
    except (Unavailable, PaymentsError) as error:
        raise click.ClickException(f"The provider could not be asked: {error}") from error
    for line in differences.table(found):
        click.echo(line)
    for row in compare.holds_ending(clock.now()):
        assert row.capture_before is not None
        click.echo(f"a hold of {row.amount} {row.currency} ends {clock.z(row.capture_before)}: {row.id}")
    if found:
        raise click.exceptions.Exit(1)


@click.group("clock", cls=AppGroup)
def clock_group() -> None:
    """Business time."""


_SPAN = re.compile(r"(\d+)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_span(text: str) -> timedelta:
    """`26h`, `1d12h`, `90s`. Raises click.BadParameter."""
    parts = _SPAN.findall(text)
    if not parts or "".join(a + b for a, b in parts) != text:
        raise click.BadParameter("write it as 26h, 1d12h, 90s or 500ms")
    return timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in parts))


@clock_group.command("forward")
@click.argument("span")
def clock_forward(span: str) -> None:
    """Move business time ahead by SPAN (26h, 1d12h), the doubles with it. Only in demo and test."""
    if not _settings().clock_may_move:
        raise click.ClickException("business time does not move in production")
    by = parse_span(span)
    for url in _settings().double_clocks:
        requests.post(
            f"{url}/_control/clock/forward", json={"seconds": int(by.total_seconds())}, timeout=10
        ).raise_for_status()
    click.echo(clock.z(clock.forward(by)))


@clock_group.command("show")
def clock_show() -> None:
    """What time it is in the product."""
    click.echo(clock.z(clock.now()))
