"""The settings of a place: what its parts are told of each other, and the secrets that stay from start to start."""

import base64
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COUNTRIES = ("FR", "DE", "BE", "IT", "ES", "PT", "NL", "AT", "GB", "CH")


def of_folder(folder: Path) -> dict[str, str]:
    """What lies in the folder of the place."""
    return {
        "GLOVEBOX_SECRET_KEY": _kept(folder / "secret"),
        "GLOVEBOX_WEB_PUSH_KEY": _kept(folder / "web-push-key"),
        "GLOVEBOX_MQTT_ACCOUNTS_DIR": str(folder / "broker"),
        "GLOVEBOX_MQTT_PID_FILE": str(folder / "broker" / "mosquitto.pid"),
        "GLOVEBOX_PHOTOS": str(folder / "photos"),
    }


def of_broker(port: int, password: str) -> dict[str, str]:
    return {
        "GLOVEBOX_MQTT_PORT": str(port),
        "GLOVEBOX_MQTT_PUBLIC_PORT": str(port),
        "GLOVEBOX_MQTT_PASSWORD": password,
    }


def of_doubles(said: Mapping[str, dict[str, Any]], webhook_secret: str) -> dict[str, str]:
    """By what each double said when it was ready."""
    stripe, push, insurer = said["stripe"], said["push"], said["insurer"]
    named = ("url", "token_url", "client_id", "client_secret")
    partner = {"countries": COUNTRIES, **{name: insurer[name] for name in named}}
    return {
        "GLOVEBOX_STRIPE_API_KEY": "sk_test_demo",
        "GLOVEBOX_STRIPE_API_BASE": stripe["url"],
        "GLOVEBOX_STRIPE_WEBHOOK_SECRETS": webhook_secret,
        "GLOVEBOX_STRIPE_CONNECT_SECRETS": webhook_secret,
        "GLOVEBOX_DOUBLE_CLOCKS": stripe["url"],
        "GLOVEBOX_FIREBASE_CREDENTIALS": push["credentials_file"],
        "GLOVEBOX_WEB_PUSH_HOSTS": "127.0.0.1",
        "GLOVEBOX_SMTP_HOST": push["smtp"]["host"],
        "GLOVEBOX_SMTP_PORT": str(push["smtp"]["port"]),
        "GLOVEBOX_SMTP_STARTTLS": "false",
        "GLOVEBOX_INSURERS": json.dumps([partner]),
    }


def _kept(file: Path) -> str:
    """32 random bytes that stay the same from start to start."""
    if not file.exists():
        file.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return file.read_text()
