"""Entry point: settings -> real doors -> the app."""

import json
import os
from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from flask import Flask

from app import loading
from app.doctor import patient
from app.doors import Doors
from app.factory import create_app
from app.kit import fetch, push_services
from app.kit.config import BadSettingsError, Settings, from_environment
from app.kit.logs import configure
from app.kit.playground import refuse_played
from app.kit.storage import storage_of
from insurance.partners import partners_of
from notifications.push import Push, PushError, PushMessage
from notifications.push_by_kind import PushByKind
from notifications.smtp_mail import SmtpMail, SmtpServer
from notifications.web_push import WebPush
from payments.gateway import Endpoint
from payments.stripe_disputes import StripeDisputes
from payments.stripe_gateway import StripeGateway
from payments.stripe_payouts import StripePayouts
from payments.stripe_webhook import StripeWebhook


class FirstUsePush:
    """Firebase's SDK is large and only workers push: it is loaded when the first message goes out."""

    def __init__(self, credentials: str) -> None:
        self._credentials = credentials
        self._push: Push | None = None

    def send_all(self, messages: Sequence[PushMessage]) -> list[str | PushError]:
        if self._push is None:
            from notifications.firebase_push import FirebasePush

            self._push = FirebasePush(json.loads(Path(self._credentials).read_text("utf-8")))
        return self._push.send_all(messages)


def real_doors(house: Settings) -> Doors:
    """The doors that the settings name; one without settings stays shut."""
    payments = payouts = disputes = push = mail = None
    if house.stripe_api_key:
        stripe: dict[str, Any] = {
            "base_url": house.stripe_api_base or None,
            "timeout_s": 4,
            "retries": 0,  # the queue retries with the same key; a web request must not wait longer
        }
        webhooks: dict[Endpoint, StripeWebhook] = {
            "platform": StripeWebhook(list(house.stripe_webhook_secrets)),
            "connect": StripeWebhook(list(house.stripe_connect_secrets)),
        }
        payments = StripeGateway(house.stripe_api_key, webhooks=webhooks, **stripe)
        payouts = StripePayouts(house.stripe_api_key, **stripe)
        disputes = StripeDisputes(house.stripe_api_key, **stripe)
    if house.firebase_credentials or house.web_push_key:
        apps = FirstUsePush(house.firebase_credentials) if house.firebase_credentials else None
        push = PushByKind(apps, _web_push(house) if house.web_push_key else None)
    if house.smtp_host:
        mail = SmtpMail(
            SmtpServer(
                house.smtp_host,
                house.smtp_port,
                house.mail_from,
                house.smtp_username,
                house.smtp_password,
                starttls=house.smtp_starttls,
            )
        )
    return Doors(
        insurers=partners_of(house.insurers),
        payments=payments,
        push=push,
        mail=mail,
        payouts=payouts,
        disputes=disputes,
        storage=storage_of(house),
    )


def _web_push(house: Settings) -> WebPush:
    """Its way out looks at the endpoint again: the list of push services may have changed since it was registered."""

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str | None]:
        push_services.check(url, house)
        return fetch.knock(url, body, headers, local=house.clock_may_move)

    return WebPush(house.web_push_key, f"mailto:{parseaddr(house.mail_from)[1]}", post)


def make() -> Flask:
    """The app; at the command line, where it cannot be made, one that can say why."""
    try:
        house = from_environment()
        if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
            refuse_played(house)
        made = create_app(house, real_doors(house))
        if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
            made.extensions["glovebox"].watch.begin(made)
        return made
    except (BadSettingsError, ValueError) as error:
        if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
            raise
        return patient(error)


configure("app")
app = make()
loading.done()
