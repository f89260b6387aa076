"""`python -m carbox.simulator`: boxes in a process of their own; `do` moves those of another, `view` shows one."""

import argparse
import json
import signal
import sys
import threading
from typing import Any

from carbox.simulator import do
from carbox.simulator.control import ControlServer, Fleet
from carbox.simulator.profiles import PROFILES


def main() -> int:
    if sys.argv[1:2] == ["do"]:
        return do.main(sys.argv[2:])
    if sys.argv[1:2] == ["view"]:
        from carbox.simulator import simulate  # curses is not everywhere

        return simulate.main(sys.argv[2:])
    asked = arguments()
    fleet = Fleet(asked.host, asked.port, asked.pace, asked.ca_file)
    boxes: list[dict[str, Any]] = [json.loads(text) for text in asked.box]
    if asked.username:
        names = ("username", "password", "vehicle", "vin", "profile", "pin")
        boxes.append({name: getattr(asked, name) for name in names})
    server = ControlServer(asked.control_port, fleet)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: fleet.ended.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for wanted in boxes:
        fleet.add(wanted)
    ready = {"ready": True, "control_port": server.server_address[1], "boxes": sorted(fleet.boxes)}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    fleet.ended.wait()
    fleet.stop()
    server.shutdown()
    server.server_close()
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="carbox.simulator",
        description="OVMS boxes in simulated cars",
        epilog="`python -m carbox.simulator do --help` lists what can be done to them, `view` shows one car in a terminal",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the broker")
    parser.add_argument("--port", type=int, required=True, help="the broker's port")
    parser.add_argument(
        "--ca-file", default="", help="PEM of the authority the boxes trust; with it they speak TLS"
    )
    parser.add_argument(
        "--control-port", type=int, default=0, help="0 = any free one, told in the ready line"
    )
    parser.add_argument("--pace", type=float, default=1.0, help="multiplies all times of the boxes")
    parser.add_argument("--box", action="append", default=[], help="JSON as for POST /boxes; repeatable")
    parser.add_argument("--username")
    parser.add_argument("--password")
    parser.add_argument("--vehicle", default="CAR")
    parser.add_argument("--vin", default="WME4533911K000000")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="DEMO")
    parser.add_argument("--pin", default="4711")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
