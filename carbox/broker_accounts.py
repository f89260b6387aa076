"""The broker's files: one account per box, and walls between them. Pure text; others write it to disk.

Source: Mosquitto 2.0 manual (mosquitto.conf, mosquitto_passwd).
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

USERNAME: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
SALT_BYTES: Final = 12
ITERATIONS: Final = 101
"""Mosquitto's own figure. Enough only because these passwords are random: see `new_password`."""
PASSWORD_HASH: Final = re.compile(r"\$7\$\d+\$[0-9A-Za-z+/=]+\$[0-9A-Za-z+/=]+")


def new_password() -> str:
    """A password of 256 random bits."""
    return secrets.token_urlsafe(32)


def password_hash(plaintext: str, *, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """`$7$iterations$salt$hash`: PBKDF2 with SHA-512, as Mosquitto 2.0 reads it."""
    salt = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", plaintext.encode(), salt, iterations)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def password_file(hashes: Mapping[str, str]) -> str:
    """Mosquitto's password file from username -> hash. Raises ValueError for what would break a line."""
    return "".join(f"{_safe(name)}:{_hash(hashes[name])}\n" for name in sorted(hashes))


def accounts_in(text: str) -> dict[str, str]:
    """What `password_file` made: username -> hash. Raises ValueError for a line that is none.

    Mosquitto leaves such a line out and goes on: whose account it was is then refused, and a refused box gives up for good.
    """
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no end")
    lines = [line.partition(":") for line in text.splitlines()]
    return {_safe(name): _hash(value) for name, _, value in lines}


def _safe(username: str) -> str:
    if not USERNAME.fullmatch(username):
        raise ValueError("a broker username has letters, digits, _ and - only")
    return username


def _hash(value: str) -> str:
    if not PASSWORD_HASH.fullmatch(value):
        raise ValueError("not a password hash of Mosquitto")
    return value


def acl_file(backend: str) -> str:
    """Each box its own tree, the backend the client part of every tree, `request/config` nobody.

    A box's PIN can be read through `request/config`, so no line allows it.
    """
    name = _safe(backend)
    reads = ("metric/#", "event/#", "notify/#", "client/+/response/+")
    writes = ("active", "command/+", "request/metric")
    backend_lines = [f"topic read ovms/+/+/{topic}" for topic in reads]
    backend_lines += [f"topic write ovms/+/+/client/+/{topic}" for topic in writes]
    box_writes = ("metric/#", "event/#", "notify/#", "client/+/response/#", "client/+/config/#")
    box_lines = [f"pattern write ovms/%u/+/{topic}" for topic in box_writes]
    box_lines += [f"pattern read ovms/%u/+/client/+/{topic}" for topic in writes]
    return "\n".join([f"user {name}", *backend_lines, "", *box_lines, ""])


@dataclass(frozen=True, slots=True)
class TlsListener:
    """Where boxes come in, by TLS 1.2 or newer, which is all that Mosquitto 2.0 allows; `address`: of which network."""

    port: int
    certificate_path: str
    key_path: str
    address: str = "0.0.0.0"  # noqa: S104 - boxes come from everywhere


def mosquitto_conf(
    *,
    port: int,
    password_path: str,
    acl_path: str,
    pid_path: str,
    run_as: str | None = None,
    tls: TlsListener | None = None,
) -> str:
    """A broker on loopback that keeps nothing on disk and reloads both files on SIGHUP.

    `run_as`: the user a broker started by root becomes; it must be able to read the files. `tls`: a second listener,
    with the same accounts and walls.
    """
    lines = [
        "per_listener_settings false",
        "allow_anonymous false",
        f"password_file {_path(password_path)}",
        f"acl_file {_path(acl_path)}",
        f"listener {port:d} 127.0.0.1",
        "set_tcp_nodelay true",
        "persistence false",
        f"pid_file {_path(pid_path)}",
        "log_dest stderr",
        "connection_messages true",
    ]
    if tls is not None:
        lines += [
            f"listener {tls.port:d} {_path(tls.address)}",
            f"certfile {_path(tls.certificate_path)}",
            f"keyfile {_path(tls.key_path)}",
        ]
    if run_as is not None:
        lines.append(f"user {_safe(run_as)}")
    return "\n".join([*lines, ""])


def _path(path: str) -> str:
    if "\n" in path or "\r" in path:
        raise ValueError("a path is one line")
    return path
