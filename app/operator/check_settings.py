"""The settings, each by its name: what is missing, what does not look right, what stays shut for want of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from app.kit.config import Mode, Settings
from app.operator.finding import Finding, ok, warning, wrong

LEAST_KEY = 32


def of(house: Settings) -> Iterator[Finding]:
    """Every finding about the settings."""
    yield ok("GLOVEBOX_MODE", house.mode.value)
    for part in (
        _public_url,
        _boxes,
        _mail,
        _stripe,
        _webhooks,
        _issuer,
        _firebase,
        _proxies,
        _links,
        _metrics,
        _insurers,
    ):
        yield from part(house)


def _production(house: Settings) -> bool:
    return house.mode is Mode.PRODUCTION


def _public_url(house: Settings) -> Iterator[Finding]:
    name, url = "GLOVEBOX_PUBLIC_URL", house.public_url
    if not url:
        yield wrong(
            name, "not set: links in mails and invitations lead nowhere", "Set it to https://your.domain"
        )
    elif not url.startswith("https://") and _production(house):
        yield wrong(
            name, f"{url} is not https", "Set it to https://your.domain; phones refuse anything else."
        )
    else:
        yield ok(name, url)


def _boxes(house: Settings) -> Iterator[Finding]:
    name, place = (
        "GLOVEBOX_MQTT_PUBLIC_HOST, _PORT, _TLS",
        f"{house.mqtt_public_host}:{house.mqtt_public_port}",
    )
    if house.mqtt_public_ca and not house.mqtt_public_tls:
        words = "GLOVEBOX_MQTT_PUBLIC_CA_FILE is set, but boxes are told to speak plain text"
        yield wrong(name, words, "Set GLOVEBOX_MQTT_PUBLIC_TLS=yes, or take the authority out.")
    elif not house.mqtt_public_tls and _production(house):
        words = f"{place} without TLS: whoever listens reads the boxes' passwords"
        yield wrong(name, words, "Give the broker a TLS listener; `broker certificates` makes what it needs.")
    else:
        yield ok(name, f"{place}{' by TLS' if house.mqtt_public_tls else ''}")


def _mail(house: Settings) -> Iterator[Finding]:
    name = "GLOVEBOX_MAIL_FROM"
    if "@" not in house.mail_from:
        yield wrong(name, f"{house.mail_from} has no address", "Write it as: Glovebox <no-reply@your.domain>")
    elif house.mail_from.rstrip("> ").endswith("@localhost"):
        words = "mails come from localhost, which most mail servers refuse"
        remedy = "Write it as: Glovebox <no-reply@your.domain>"
        yield wrong(name, words, remedy) if _production(house) else warning(name, words, remedy)
    else:
        yield ok(name, house.mail_from)


def _stripe(house: Settings) -> Iterator[Finding]:
    name, key = "GLOVEBOX_STRIPE_API_KEY", house.stripe_api_key
    if not key:
        yield warning(
            name, "not set: cars can be lent for free only", "Take the key from Stripe's dashboard, API keys."
        )
    elif not re.fullmatch(r"(sk|rk)_(test|live)_\w{3,}", key):
        words = (
            "a publishable key cannot move money" if key.startswith("pk_") else "is no secret key of Stripe's"
        )
        yield wrong(name, words, "It begins with sk_live_ or rk_live_ (test: sk_test_).")
    elif "_test_" in key and _production(house):
        yield warning(name, "a test key in production: no real money moves", "Take the live key.")
    else:
        yield ok(name, f"{key[:8]}...")
    if house.stripe_api_base and _production(house):
        yield wrong("GLOVEBOX_STRIPE_API_BASE", "set in production: payments go elsewhere", "Take it out.")


def _webhooks(house: Settings) -> Iterator[Finding]:
    late = "payments are noticed late, by comparing"
    yield from _endpoint(
        house, "GLOVEBOX_STRIPE_WEBHOOK_SECRETS", house.stripe_webhook_secrets, "stripe", late
    )
    late = "nobody learns what happens on owners' accounts"
    yield from _endpoint(
        house, "GLOVEBOX_STRIPE_CONNECT_SECRETS", house.stripe_connect_secrets, "stripe-connect", late
    )


def _endpoint(
    house: Settings, name: str, secrets: tuple[str, ...], path: str, late: str
) -> Iterator[Finding]:
    if house.stripe_api_key and not secrets:
        words = f"not set: POST /webhooks/{path} is closed (404); {late}"
        yield warning(name, words, "Add the endpoint in Stripe's dashboard and put its whsec_ secret here.")
    elif any(not one.startswith("whsec_") for one in secrets):
        yield wrong(name, "a secret does not begin with whsec_", "Copy the signing secret of the endpoint.")
    elif secrets:
        yield ok(name, f"{len(secrets)} set")


def _issuer(house: Settings) -> Iterator[Finding]:
    name = "GLOVEBOX_ISSUER"
    if house.stripe_api_key and len(house.issuer) == 1:
        words = f"only {house.issuer[0]}: receipts say neither address nor VAT number"
        yield warning(name, words, "Set it to name|address|VAT number before the first receipt.")
    else:
        yield ok(name, ", ".join(house.issuer))


def _firebase(house: Settings) -> Iterator[Finding]:
    name, path = "GLOVEBOX_FIREBASE_CREDENTIALS", house.firebase_credentials
    if not path:
        remedy = "Point it to the JSON key of the service account."
        yield warning(name, "not set: no phone hears anything", remedy)
        return
    try:
        key = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        yield wrong(
            name, f"the file cannot be read: {error.strerror}", "Give this process the right to read it."
        )
        return
    except ValueError:
        yield wrong(name, "the file is not JSON", "Download the service account's key again.")
        return
    missing = [
        one
        for one in ("project_id", "client_email", "private_key")
        if not (isinstance(key, dict) and key.get(one))
    ]
    if missing:
        yield wrong(name, f"the file has no {', '.join(missing)}", "It must be a service account's key.")
    else:
        yield ok(name, f"project {key['project_id']}")


def _proxies(house: Settings) -> Iterator[Finding]:
    name = "GLOVEBOX_TRUSTED_PROXIES"
    if _production(house) and not house.trusted_proxies:
        words = "0: behind a proxy all callers share one address, and one limit"
        yield warning(name, words, "Set the number of proxies in front, if there are any.")
    else:
        yield ok(name, str(house.trusted_proxies))


def _links(house: Settings) -> Iterator[Finding]:
    remedy = "Set it so that invitation links open the app."
    if not house.apple_app_ids:
        yield warning("GLOVEBOX_APPLE_APP_IDS", "not set: links open in the browser on iPhones", remedy)
    if not (house.android_package and house.android_fingerprints):
        name = "GLOVEBOX_ANDROID_PACKAGE, GLOVEBOX_ANDROID_FINGERPRINTS"
        yield warning(name, "not set: links open in the browser on Android", remedy)


def _metrics(house: Settings) -> Iterator[Finding]:
    if not house.metrics_token:
        yield warning(
            "GLOVEBOX_METRICS_TOKEN", "not set: /metrics is closed", "Set one and give it to Prometheus."
        )


def _insurers(house: Settings) -> Iterator[Finding]:
    name = "GLOVEBOX_INSURERS"
    if not house.insurers:
        words = "none has an API of its own: each must read ours"
        yield warning(name, words, "Fine when agreed so; else list the partners.")
        return
    yield ok(name, f"{len(house.insurers)} with an API of their own")


def from_error(error: BaseException) -> list[Finding]:
    """Why the app cannot even be made, a line for each setting that has a name."""
    named = getattr(error.__cause__, "error_messages", None)
    if isinstance(named, dict):
        remedy = "Set it in the environment; docs name every setting."
        return [wrong(name, "; ".join(map(str, told)).lower(), remedy) for name, told in named.items()]
    words = str(error).removeprefix("settings: ")
    return [wrong("settings", words, "The app cannot start before this is right.")]
