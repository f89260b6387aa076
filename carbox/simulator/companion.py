"""The companion of a simulated box: grants checked beside the car, without any network; stock OVMS has no such code.

`python -m carbox.simulator.companion` stands beside a car of its own and answers phones on a TCP port of this
machine, in place of Bluetooth: each frame behind its length in two bytes.
"""

import argparse
import contextlib
import json
import secrets
import socketserver
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from carbox import grant_frames
from carbox.grant import BadGrant, Right, b64, compressed, key_id, pairing_record, public_key, unb64
from carbox.grant_exchange import BoxVerifier, Receipt
from carbox.simulator.car import Car
from carbox.simulator.clock import HastenedClock
from carbox.simulator.profiles import PROFILES

LONGEST_FRAME: Final = 2048


def unix_now() -> int:
    return int(time.time())


class Companion:
    """A box key, a grant verifier and the car they stand in. `answer` is all a phone can reach.

    `issuers` are the 33-byte keys pinned at pairing, `clock` gives Unix seconds or None when it is not known.
    """

    def __init__(
        self,
        car: Car,
        issuers: list[bytes],
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
        box_id: bytes | None = None,
        clock: Callable[[], int | None] = unix_now,
    ) -> None:
        self.car = car
        self.hand: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
        """What is held while the car is moved: a box in it looks at the same car."""
        self.kept: list[Receipt] = []
        pinned = {key_id(one): one for one in map(public_key, issuers)}
        self.box = BoxVerifier(
            box_id=box_id or secrets.token_bytes(16),
            key=key or ec.generate_private_key(ec.SECP256R1()),
            issuers=pinned,
            clock=clock,
            act=self._act,
        )

    @property
    def pairing(self) -> str:
        """What the owner enters when the box is paired, base64url."""
        return b64(pairing_record(self.box.key, self.box.box_id))

    @property
    def key(self) -> bytes:
        return compressed(self.box.key.public_key())

    def pin(self, issuers: list[bytes]) -> None:
        """The issuing keys, as the answer to the pairing names them."""
        self.box.issuers.update({key_id(one): one for one in map(public_key, issuers)})

    def answer(self, question: bytes) -> bytes:
        """One frame in, one frame out."""
        return grant_frames.answer(self.box, self.kept, question)

    def report(self) -> list[str]:
        """What it hands on where it has a network of its own: POST /v1/box-records."""
        records = [self.box.acknowledgement().encode(), *(one.encode() for one in self.kept)]
        return [b64(one) for one in records]

    def take(self, revocations: str) -> str:
        """The list that the answer holds; returns the acknowledgement to hand on."""
        return b64(self.box.take_revocations(unb64(revocations)).encode())

    def _act(self, operation: Right) -> tuple[bool, int]:
        with self.hand():
            return self._move(operation)

    def _move(self, operation: Right) -> tuple[bool, int]:
        """Move the car, if it is ready for that: who ends leaves it shut, off, and the keys where they belong."""
        car = self.car
        if operation is Right.END_RENTAL:
            self._require_ready_to_end()
        if operation in (Right.LOCK, Right.END_RENTAL):
            car.turn_lock(locked=True)
        elif operation is Right.UNLOCK:
            car.turn_lock(locked=False)
        elif operation is Right.ENABLE_DRIVE:
            car.immobilised = False
        return car.locked, int(car.odometer_km)

    def _require_ready_to_end(self) -> None:
        if self.car.open_doors:
            raise BadGrant("a door is open")
        if self.car.on:
            raise BadGrant("the car is on")
        if not self.car.keys_in_glove_box:
            raise BadGrant("the keys are not in the glove box")


class NearPhones(socketserver.ThreadingTCPServer):
    """Phones beside the car."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, companion: Companion) -> None:
        super().__init__(("127.0.0.1", port), _Phone)
        self.companion = companion


class _Phone(socketserver.StreamRequestHandler):
    server: NearPhones

    def handle(self) -> None:
        while len(head := self.rfile.read(2)) == 2:
            length = int.from_bytes(head)
            if length > LONGEST_FRAME:
                return
            answer = self.server.companion.answer(self.rfile.read(length))
            self.wfile.write(len(answer).to_bytes(2) + answer)


def main() -> int:
    parser = argparse.ArgumentParser(prog="carbox.simulator.companion", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 = any free one, told in the ready line")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="DEMO")
    parser.add_argument("--vin", default="WME4533911K000000")
    parser.add_argument("--issuer", action="append", default=[], help="base64url key to pin; repeatable")
    asked = parser.parse_args()
    kind = PROFILES[asked.profile]
    car = Car(HastenedClock(), asked.vin, kind.capacity_kwh, kind.range_km)
    companion = Companion(car, [unb64(one) for one in asked.issuer])
    with NearPhones(asked.port, companion) as near:
        ready = {"ready": True, "port": near.server_address[1], "companion": companion.pairing}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        near.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
