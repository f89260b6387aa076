"""`python -m payments.double --port 0`: says where it listens in one JSON line, and stops on SIGTERM."""

import argparse
import json
import signal
import sys
from typing import NoReturn

from payments.double.deliveries import Endpoint
from payments.double.server import serve


def main() -> None:
    options = argparse.ArgumentParser(
        prog="payments.double", description="A stand-in for Stripe on loopback."
    )
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--webhook-url")
    options.add_argument("--webhook-secret", default="")
    options.add_argument("--connect-url")
    options.add_argument("--connect-secret", default="")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    endpoint = Endpoint(given.webhook_url, given.webhook_secret, given.connect_url, given.connect_secret)
    server, app = serve(given.port, endpoint)
    url = f"http://127.0.0.1:{server.server_port}"
    sys.stdout.write(json.dumps({"ready": "payments.double", "url": url}) + "\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except (SystemExit, KeyboardInterrupt):
        app.deliveries.stop()
        server.server_close()


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
