"""The settings: one frozen value, read from the environment at start; what is missing or wrong fails with its name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from environs import Env, EnvError, EnvValidationError

from app.kit import config_values as values

MQTT_TLS_PORT = 8883
PUSH_HOSTS = (
    "fcm.googleapis.com",
    "*.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
"""Where the browsers people have are pushed to: Chrome and its like, Firefox, Safari, Edge."""


class Mode(StrEnum):
    """Where we run; only demo and test may move the clock."""

    DEMO = "demo"
    TEST = "test"
    PRODUCTION = "production"


class BadSettingsError(RuntimeError):
    """One or more settings are missing or wrong; the text names each."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many calls are let through: (count, seconds)."""

    person: tuple[int, int] = (300, 60)
    address: tuple[int, int] = (60, 60)
    secrets: tuple[int, int] = (5, 900)
    secrets_address: tuple[int, int] = (50, 900)
    refresh: tuple[int, int] = (60, 900)
    refresh_address: tuple[int, int] = (600, 900)
    preview: tuple[int, int] = (20, 3600)
    feeds: tuple[int, int] = (3000, 3600)
    partner: tuple[int, int] = (6000, 60)
    lookup: tuple[int, int] = (60, 60)
    invitations: tuple[int, int] = (30, 86400)
    invited: tuple[int, int] = (5, 86400)
    photos: tuple[int, int] = (240, 86400)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the processes need to know; secrets have no usable default."""

    mode: Mode
    database_url: str
    listen_database_url: str
    secret_key: bytes
    public_url: str
    pool_size: int = 8
    waiters: int = 48
    trusted_proxies: int = 0
    client_certificate_header: str = ""
    mqtt_host: str = "127.0.0.1"
    mqtt_port: int = 1883
    mqtt_username: str = "glovebox"
    mqtt_password: str = ""
    mqtt_public_host: str = "127.0.0.1"
    mqtt_public_port: int = 1883
    mqtt_public_tls: bool = False
    mqtt_public_ca: str = ""
    mqtt_accounts_dir: str = ""
    mqtt_pid_file: str = ""
    mqtt_ca_file: str = ""
    stripe_api_key: str = ""
    stripe_api_base: str = ""
    stripe_webhook_secrets: tuple[str, ...] = ()
    stripe_connect_secrets: tuple[str, ...] = ()
    firebase_credentials: str = ""
    web_push_key: str = field(default="", repr=False)
    web_push_hosts: tuple[str, ...] = PUSH_HOSTS
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_username: str = ""
    smtp_password: str = ""
    smtp_starttls: bool = True
    mail_from: str = "Glovebox <no-reply@localhost>"
    insurers: tuple[dict[str, Any], ...] = ()
    box_heard_within_min: int = 25
    box_answer_within_s: int = 15
    clock_step_s: float = 1.0
    clock_steady_s: float = 60.0
    metrics_token: str = ""
    double_clocks: tuple[str, ...] = ()
    apple_app_ids: tuple[str, ...] = ()
    apple_store_id: str = ""
    android_package: str = ""
    android_fingerprints: tuple[str, ...] = ()
    invoice_prefix: str = "GLV"
    issuer: tuple[str, ...] = ("Glovebox",)
    photos: str = ".var/photos"
    photos_endpoint: str = ""
    photos_region: str = "eu-central-1"
    photos_access_key: str = ""
    photos_secret_key: str = ""
    limits: Limits = Limits()

    @property
    def clock_may_move(self) -> bool:
        return self.mode in (Mode.DEMO, Mode.TEST)


def _read_limits(env: Env) -> Limits:
    names = Limits.__dataclass_fields__
    read = {name: env.str(f"LIMIT_{name.upper()}", "") for name in names}
    return Limits(**{name: values.limit(text) for name, text in read.items() if text})


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Read `GLOVEBOX_*` (and the usual DATABASE_URL). Raises BadSettingsError that names every fault at once."""
    env = Env(eager=False, prefix="GLOVEBOX_")
    if environ is not None:
        env = _over(environ)
    plain = Env(eager=False) if environ is None else _over(environ, prefix="")
    try:
        database_url = plain.str("DATABASE_URL")
        settings = _settings(env, plain, database_url)
        _seal(plain, env)
    except EnvError as error:
        raise BadSettingsError(f"settings: {error}") from error
    _refuse_holes(settings)
    return settings


def _seal(*envs: Env) -> None:
    """Every fault of all of them at once."""
    told: dict[str, Any] = {}
    for one in envs:
        try:
            one.seal()
        except EnvValidationError as error:
            told |= cast("dict[str, Any]", error.error_messages)
    if told:
        raise EnvValidationError(f"Environment variables invalid: {told}", told)


def _over(environ: Mapping[str, str], prefix: str = "GLOVEBOX_") -> Env:
    """An Env that reads a mapping instead of the process's environment."""

    class MappedEnv(Env):
        def _get_value(self, env_key: str, default: Any) -> Any:
            return environ.get(env_key, default)

    return MappedEnv(eager=False, prefix=prefix)


def _settings(env: Env, plain: Env, database_url: str) -> Settings:
    url = values.driver(database_url or "")
    secret = env.str("SECRET_KEY")
    public_port = env.int("MQTT_PUBLIC_PORT", 1883)
    return Settings(
        mode=env.enum("MODE", Mode.PRODUCTION, enum=Mode, by_value=True),
        database_url=url,
        listen_database_url=values.driver(plain.str("LISTEN_DATABASE_URL", "") or url),
        secret_key=values.secret(secret) if secret else b"",
        public_url=(env.str("PUBLIC_URL") or "").rstrip("/"),
        pool_size=env.int("POOL_SIZE", 8),
        waiters=env.int("WAITERS", 48),
        trusted_proxies=env.int("TRUSTED_PROXIES", 0),
        client_certificate_header=env.str("CLIENT_CERTIFICATE_HEADER", ""),
        mqtt_host=env.str("MQTT_HOST", "127.0.0.1"),
        mqtt_port=env.int("MQTT_PORT", 1883),
        mqtt_username=env.str("MQTT_USERNAME", "glovebox"),
        mqtt_password=env.str("MQTT_PASSWORD", ""),
        mqtt_public_host=env.str("MQTT_PUBLIC_HOST", "127.0.0.1"),
        mqtt_public_port=public_port,
        mqtt_public_tls=env.bool("MQTT_PUBLIC_TLS", public_port == MQTT_TLS_PORT),
        mqtt_public_ca=values.certificate("GLOVEBOX_MQTT_PUBLIC_CA_FILE", env.str("MQTT_PUBLIC_CA_FILE", "")),
        mqtt_accounts_dir=env.str("MQTT_ACCOUNTS_DIR", ""),
        mqtt_pid_file=env.str("MQTT_PID_FILE", ""),
        mqtt_ca_file=env.str("MQTT_CA_FILE", ""),
        stripe_api_key=env.str("STRIPE_API_KEY", ""),
        stripe_api_base=env.str("STRIPE_API_BASE", ""),
        stripe_webhook_secrets=tuple(env.list("STRIPE_WEBHOOK_SECRETS", [])),
        stripe_connect_secrets=tuple(env.list("STRIPE_CONNECT_SECRETS", [])),
        firebase_credentials=env.str("FIREBASE_CREDENTIALS", ""),
        web_push_key=values.web_push_key(env.str("WEB_PUSH_KEY", "")),
        web_push_hosts=tuple(env.list("WEB_PUSH_HOSTS", list(PUSH_HOSTS))),
        smtp_host=env.str("SMTP_HOST", ""),
        smtp_port=env.int("SMTP_PORT", 587),
        smtp_username=env.str("SMTP_USERNAME", ""),
        smtp_password=env.str("SMTP_PASSWORD", ""),
        smtp_starttls=env.bool("SMTP_STARTTLS", True),
        mail_from=env.str("MAIL_FROM", "Glovebox <no-reply@localhost>"),
        insurers=tuple(values.insurers(env.str("INSURERS", "[]"))),
        box_heard_within_min=env.int("BOX_HEARD_WITHIN_MIN", 25),
        box_answer_within_s=env.int("BOX_ANSWER_WITHIN_S", 15),
        clock_step_s=_seconds(env, "CLOCK_STEP_S", 1.0),
        clock_steady_s=_seconds(env, "CLOCK_STEADY_S", 60.0),
        metrics_token=env.str("METRICS_TOKEN", ""),
        double_clocks=tuple(env.list("DOUBLE_CLOCKS", [])),
        apple_app_ids=tuple(env.list("APPLE_APP_IDS", [])),
        apple_store_id=values.digits("GLOVEBOX_APPLE_STORE_ID", env.str("APPLE_STORE_ID", "")),
        android_package=env.str("ANDROID_PACKAGE", ""),
        android_fingerprints=tuple(env.list("ANDROID_FINGERPRINTS", [])),
        invoice_prefix=values.prefix(env.str("INVOICE_PREFIX", "GLV")),
        issuer=tuple(line.strip() for line in env.str("ISSUER", "Glovebox").split("|")),
        photos=values.place(env.str("PHOTOS", ".var/photos")),
        photos_endpoint=env.str("PHOTOS_ENDPOINT", ""),
        photos_region=env.str("PHOTOS_REGION", "eu-central-1"),
        photos_access_key=env.str("PHOTOS_ACCESS_KEY", ""),
        photos_secret_key=env.str("PHOTOS_SECRET_KEY", ""),
        limits=_read_limits(env),
    )


def _seconds(env: Env, name: str, usual: float) -> float:
    found = env.float(name, usual)
    if found is not None and not 0.1 <= found <= 3600:
        words = "must lie between 0.1 and 3600 seconds"
        raise EnvValidationError(f"GLOVEBOX_{name}: {words}", {f"GLOVEBOX_{name}": [words]})
    return usual if found is None else found


def _refuse_holes(settings: Settings) -> None:
    if not settings.database_url.startswith("postgresql+psycopg://"):
        raise BadSettingsError(
            "settings: DATABASE_URL must be a postgresql:// URL; no other database is supported"
        )
    if settings.client_certificate_header and not settings.trusted_proxies:
        raise BadSettingsError(
            "settings: GLOVEBOX_CLIENT_CERTIFICATE_HEADER needs GLOVEBOX_TRUSTED_PROXIES: without a proxy that sets it,"
            " anybody could"
        )
    if settings.mode is not Mode.PRODUCTION:
        return
    needed = {
        "GLOVEBOX_MQTT_PASSWORD": settings.mqtt_password,
        "GLOVEBOX_MQTT_ACCOUNTS_DIR": settings.mqtt_accounts_dir,
        "GLOVEBOX_MQTT_PID_FILE": settings.mqtt_pid_file,
        "GLOVEBOX_SMTP_HOST": settings.smtp_host,
        "GLOVEBOX_FIREBASE_CREDENTIALS": settings.firebase_credentials,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise BadSettingsError(f"settings: production needs {', '.join(missing)}")
    if not settings.public_url.startswith("https://"):
        raise BadSettingsError("settings: GLOVEBOX_PUBLIC_URL must begin with https:// in production")
