"""Start the double: `python -m insurance.double --port 0`. It prints one JSON line when it is ready."""

import argparse
import json
import signal
import sys
import threading

from insurance.double.insurer import FakeInsurer
from insurance.double.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m insurance.double", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--client-id", default="glovebox")
    parser.add_argument("--client-secret", default="demo-secret")
    asked = parser.parse_args()
    server = Server(asked.port, FakeInsurer(asked.client_id, asked.client_secret))
    signal.signal(signal.SIGTERM, lambda *_: _stop(server))
    signal.signal(signal.SIGINT, lambda *_: _stop(server))
    ready = {
        "url": f"{server.url}/v1",
        "token_url": f"{server.url}/oauth/token",
        "client_id": asked.client_id,
        "client_secret": asked.client_secret,
        "control": f"{server.url}/_control",
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.05)


def _stop(server: Server) -> None:
    # shutdown() waits for serve_forever, which is what the signal has just interrupted.
    threading.Thread(target=server.shutdown).start()


if __name__ == "__main__":
    main()
