"""Start the double: `python -m notifications.double --port 0 --smtp-port 0 --ca-file F --credentials-file F`.

It prints one JSON line when it is ready, with the environment and files the service is to be started with.
"""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import trustme

from notifications.double import mail_sink
from notifications.double.server import HOSTS, Server


def main() -> None:
    asked = _arguments()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(asked.ca_file))
    certificate = authority.issue_cert(*HOSTS, "localhost", "127.0.0.1")
    server = Server(asked.port, asked.project)
    certificate.configure_cert(server.tls)
    smtp_port = mail_sink.serve(server.mails, asked.smtp_port, server.tls)
    _write_secret(asked.credentials_file, json.dumps(server.sign_in.account()))
    signal.signal(signal.SIGTERM, lambda *_: _stop(server))
    signal.signal(signal.SIGINT, lambda *_: _stop(server))
    sys.stdout.write(json.dumps(_ready(server, smtp_port, asked)) + "\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.05)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m notifications.double", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="proxy, token endpoint and control verbs")
    parser.add_argument("--smtp-port", type=int, default=0)
    parser.add_argument("--ca-file", type=Path, required=True, help="where to write the test CA")
    parser.add_argument("--credentials-file", type=Path, help="where to write the account; beside the CA")
    parser.add_argument("--project", default="glovebox-demo")
    asked = parser.parse_args()
    asked.credentials_file = asked.credentials_file or asked.ca_file.with_name("service-account.json")
    return asked


def _ready(server: Server, smtp_port: int, asked: argparse.Namespace) -> dict[str, Any]:
    ca_file = str(asked.ca_file.resolve())
    return {
        "proxy": server.url,
        "token_uri": f"{server.url}/token",
        "control": f"{server.url}/_control",
        "smtp": {"host": "127.0.0.1", "port": smtp_port},
        "ca_file": ca_file,
        "credentials_file": str(asked.credentials_file.resolve()),
        "environment": {
            "HTTPS_PROXY": server.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": ca_file,
        },
    }


def _write_secret(path: Path, text: str) -> None:
    """Readable by us alone, from the first byte."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _stop(server: Server) -> None:
    # shutdown() waits for serve_forever, which is what the signal has just interrupted.
    threading.Thread(target=server.shutdown).start()


if __name__ == "__main__":
    main()
