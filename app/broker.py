"""`flask --app wsgi broker ...`: what the broker needs before it starts: certificates, accounts, walls."""

from collections.abc import Callable, Mapping
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import OperationalError

from app.cars import box as boxes
from app.kit import clock
from app.kit.config import Settings
from app.kit.db import release
from app.kit.keys import settings
from carbox.broker_accounts import acl_file, password_hash
from carbox.broker_certificates import write_certificates
from carbox.local_broker import refuse_broken, write_accounts, write_whole


@click.group("broker")
def broker() -> None:
    """What the broker needs before it starts."""


@broker.command("certificates")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--host", "hosts", multiple=True, required=True, help="Name or address boxes connect to; repeatable."
)
def certificates(directory: Path, hosts: tuple[str, ...]) -> None:
    """Make a certificate authority of one's own in DIRECTORY, and a server certificate for the broker.

    An authority that is there is used again, a server certificate is never written over: to renew it, move it away.
    """
    try:
        written = write_certificates(directory, list(hosts), clock.real_now())
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for file in written:
        click.echo(f"wrote {file}")


@broker.command("accounts")
@with_appcontext
def accounts() -> None:
    """Run before the broker starts, as its user: ends with 1 when it must not listen.

    A password file that is whole stays as boxlink left it; else it is written from the database.
    """
    click.echo(make_whole(settings(), boxes.accounts))


def make_whole(house: Settings, known: Callable[[], Mapping[str, str]]) -> str:
    """See that the broker has its files; what was done, in words. `known`: the boxes' accounts. Raises ClickException."""
    if not house.mqtt_accounts_dir:
        raise click.ClickException("GLOVEBOX_MQTT_ACCOUNTS_DIR is not set")
    folder = Path(house.mqtt_accounts_dir)
    try:
        # they follow from the code alone, and an update may have moved them
        write_whole(folder / "acl", acl_file(house.mqtt_username))
        return _whole_accounts(folder / "passwords", house, known)
    except OSError as error:
        raise click.ClickException(f"the broker must not start: {error}") from error


def _whole_accounts(passwords: Path, house: Settings, known: Callable[[], Mapping[str, str]]) -> str:
    try:
        refuse_broken(passwords, house.mqtt_username)
    except (OSError, ValueError) as broken:
        try:
            wanted = known()
            release()
        except OperationalError as error:
            raise click.ClickException(f"{broken}; the broker must not start: {error}") from error
        write_accounts(passwords, {**wanted, house.mqtt_username: password_hash(house.mqtt_password)})
        return f"{broken}: wrote {len(wanted)} boxes' accounts from the database"
    return "the broker's accounts are whole"
