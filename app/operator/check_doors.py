"""The doors to the outside: the broker and its account files, the mail server, the place where photos are kept."""

import os
import secrets
import smtplib
import socket
from collections.abc import Iterator
from pathlib import Path

from app.kit.config import Mode, Settings
from app.kit.errors import Unavailable
from app.kit.storage import storage_of
from app.operator.finding import Finding, ok, warning, wrong
from carbox.mqtt_link import BrokerAddress, let_in

WITHIN_S = 5.0


def of(house: Settings) -> Iterator[Finding]:
    """Every finding about the doors."""
    yield from _broker(house)
    yield from _accounts_folder(house)
    yield from _broker_process(house)
    yield from _mail_server(house)
    yield from _photos(house)


def _broker(house: Settings) -> Iterator[Finding]:
    name, place = "broker", f"{house.mqtt_host}:{house.mqtt_port}"
    try:
        socket.create_connection((house.mqtt_host, house.mqtt_port), WITHIN_S).close()
    except OSError as error:
        yield wrong(
            name, f"{place} does not answer: {error}", "Start Mosquitto; see GLOVEBOX_MQTT_HOST and _PORT."
        )
        return
    account = BrokerAddress(
        house.mqtt_host,
        house.mqtt_port,
        house.mqtt_username,
        house.mqtt_password,
        client_id=f"doctor-{os.getpid()}",
        ca_file=house.mqtt_ca_file or None,
    )
    if let_in(account, WITHIN_S):
        yield ok(name, f"{place} lets {house.mqtt_username} in")
    else:
        remedy = "GLOVEBOX_MQTT_PASSWORD must be the one in the broker's password file; boxlink writes it at its start."
        yield wrong(name, f"{place} refuses {house.mqtt_username}", remedy)


def _accounts_folder(house: Settings) -> Iterator[Finding]:
    name, folder = "GLOVEBOX_MQTT_ACCOUNTS_DIR", house.mqtt_accounts_dir
    remedy = "Set it to the folder of the broker's password file, writable for boxlink."
    if not folder:
        yield wrong(name, "not set: no box can be paired", remedy)
    elif not Path(folder).is_dir():
        yield wrong(name, f"{folder} is no folder", remedy)
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield wrong(name, f"{folder} is not writable for this process", remedy)
    else:
        yield ok(name, folder)


def _broker_process(house: Settings) -> Iterator[Finding]:
    """Boxlink has the broker read its accounts again by a signal: it must know the process and may send it."""
    name, file = "GLOVEBOX_MQTT_PID_FILE", house.mqtt_pid_file
    remedy = "Set it to Mosquitto's pid_file; boxlink runs as the same user."
    if not file:
        yield wrong(name, "not set: the broker never learns of new boxes", remedy)
        return
    try:
        number = int(Path(file).read_text("utf-8"))
        os.kill(number, 0)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        yield wrong(name, f"{file}: {words}", remedy)
    else:
        yield ok(name, f"process {number}")


def _mail_server(house: Settings) -> Iterator[Finding]:
    name = "GLOVEBOX_SMTP_HOST"
    if not house.smtp_host:
        yield warning(name, "not set: no mail goes out, so nobody can confirm an address", "Set it.")
        return
    place = f"{house.smtp_host}:{house.smtp_port}"
    try:
        with smtplib.SMTP(house.smtp_host, house.smtp_port, timeout=WITHIN_S) as server:
            server.ehlo()
            if house.smtp_starttls:
                server.starttls()
            if house.smtp_username:
                server.login(house.smtp_username, house.smtp_password)
    except (OSError, smtplib.SMTPException) as error:
        words = f"{place}: {type(error).__name__}: {' '.join(str(error).split())[:150]}"
        yield wrong(name, words, "See GLOVEBOX_SMTP_PORT, _USERNAME, _PASSWORD, _STARTTLS.")
    else:
        yield ok(name, f"{place} answers{' and lets us in' if house.smtp_username else ''}")


def _photos(house: Settings) -> Iterator[Finding]:
    """A small file is kept, read and deleted."""
    name, test = "GLOVEBOX_PHOTOS", f"doctor/{secrets.token_hex(8)}"
    storage = storage_of(house)
    try:
        storage.put(test, b"doctor")
        storage.get(test)
        storage.delete(test)
    except Unavailable as error:
        cause = " ".join(str(error.__cause__).split())[:200]
        remedy = (
            "A folder must be writable for this process; of a bucket see GLOVEBOX_PHOTOS_ENDPOINT, _REGION,"
            " _ACCESS_KEY, _SECRET_KEY."
        )
        yield wrong(name, f"{house.photos}: {cause}", remedy)
        return
    alone = not house.photos.startswith(("s3://", "/"))
    if alone and house.mode is Mode.PRODUCTION:
        words = f"{house.photos} lies in the folder this process was started in"
        yield warning(
            name, words, "Set a whole path that all processes share and backups take along, or s3://bucket."
        )
    else:
        yield ok(name, house.photos)
