"""The phone's side of offline access: fetch a grant while there is signal, open and lock without, hand on what was done.

`python -m carbox.phone` is a phone on the command line. It keeps its key, the grant and what the box signed in one
file; the box is a TCP port (`python -m carbox.simulator.companion`), as a stand-in for Bluetooth.
"""

import argparse
import json
import secrets
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from carbox import grant_frames
from carbox.grant import BODY, BadGrant, Grant, Label, Right, b64, is_signed, public_key, unb64
from carbox.grant_exchange import NONCE_BYTES, prove, read_receipt
from carbox.revocations import read_acknowledgement

VERBS: Final = {"unlock": Right.UNLOCK, "pause": Right.LOCK, "lock": Right.END_RENTAL}
Box = Callable[[bytes], bytes]
"""One frame to the box, its answer back."""


def unread(data: bytes) -> Grant:
    """What a grant says, unverified: the phone needs its box and its id, the box checks who issued it."""
    _, _, issuer, *fields = BODY.unpack(data[: BODY.size])
    grant_id, box_id, rental, holder, rights, not_before, not_after, floor = fields
    return Grant(issuer, grant_id, box_id, rental, holder, Right(rights), not_before, not_after, floor)


@dataclass(slots=True)
class PhoneInHand:
    """A phone's key, the answer to its last GET of a grant, and what it has to hand on."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    fetched: dict[str, Any] = field(default_factory=dict)
    records: list[str] = field(default_factory=list)

    @property
    def public_key(self) -> str:
        """As POST /v1/me/phones takes it: base64url of the DER SubjectPublicKeyInfo."""
        spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b64(spki)

    def do(self, verb: str, box: Box) -> bytes:
        """Unlock, pause or lock at the box; the signed receipt is kept for handing on. Raises BadGrant.

        Revocations that came with the grant are handed over first, so that they arrive where no signal does.
        """
        if "grant" not in self.fetched:
            raise BadGrant("no grant: fetch one first")
        if self.fetched.get("revocations"):
            self.carry(box)
        data = unb64(self.fetched["grant"])
        grant, nonce, operation = unread(data), secrets.token_bytes(NONCE_BYTES), VERBS[verb]
        challenge = grant_frames.challenge_of(grant_frames.content(box(grant_frames.hello(data, nonce))))
        box_key = public_key(unb64(self.fetched["box_key"]))
        message = challenge.message(nonce, grant.grant_id)
        if not is_signed(box_key, Label.CHALLENGE, message, challenge.signature):
            raise BadGrant("not the box of this car")
        proof = prove(self.key, grant, challenge.challenge, nonce, operation)
        receipt = grant_frames.content(box(grant_frames.operate(operation, proof)))
        if not read_receipt(receipt).is_from(box_key):
            raise BadGrant("not the box's receipt")
        self.records.append(b64(receipt))
        return receipt

    def carry(self, box: Box) -> bytes:
        """Hand over the revocations; the acknowledgement is kept for handing on. Raises BadGrant."""
        data = unb64(self.fetched["revocations"])
        taken = grant_frames.content(box(grant_frames.revocations(data)))
        read_acknowledgement(taken)
        self.records.append(b64(taken))
        self.fetched["revocations"] = None
        return taken

    def save(self, file: Path) -> None:
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        file.touch(mode=0o600)
        file.write_text(json.dumps({"key": pem, "fetched": self.fetched, "records": self.records}), "utf-8")


def load(file: Path) -> PhoneInHand:
    """A phone as it was saved; a new one where there is none."""
    if not file.exists():
        return PhoneInHand()
    kept = json.loads(file.read_text("utf-8"))
    key = load_pem_private_key(kept["key"].encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadGrant("not a P-256 key")
    return PhoneInHand(key, kept["fetched"], kept["records"])


@contextmanager
def near(port: int) -> Iterator[Box]:
    """The box behind a TCP port of this machine, for as long as the phone stands beside it."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        connection.makefile("rwb") as line,
    ):

        def ask(question: bytes) -> bytes:
            line.write(len(question).to_bytes(2) + question)
            line.flush()
            return line.read(int.from_bytes(line.read(2)))

        yield ask


def call(server: str, token: str, method: str, path: str, body: object = None) -> Any:
    """One request to the API; the answer's JSON."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(server + path, data, headers, method=method)  # noqa: S310 - the caller's own server
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read())


def run(asked: argparse.Namespace, phone: PhoneInHand) -> object:
    if asked.verb == "key":
        return {"public_key": phone.public_key}
    if asked.verb == "fetch":
        path = f"/v1/rentals/{asked.rental}/grant"
        phone.fetched = call(asked.server, asked.token, "GET", path)
        return phone.fetched
    if asked.verb == "upload":
        body = {"receipts": phone.records[:100]}
        told = call(asked.server, asked.token, "POST", "/v1/me/offline-receipts", body)
        del phone.records[:100]
        return told
    with near(asked.box) as box:
        return {"receipt": b64(phone.do(asked.verb, box))}


def main() -> int:
    parser = argparse.ArgumentParser(prog="carbox.phone", description=__doc__)
    parser.add_argument("verb", choices=("key", "fetch", *VERBS, "upload"))
    parser.add_argument(
        "--file", type=Path, default=Path("phone.json"), help="where this phone keeps its things"
    )
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default="", help="an access token of this phone's session")
    parser.add_argument("--rental", default="")
    parser.add_argument("--box", type=int, default=0, help="the companion's port")
    asked = parser.parse_args()
    try:
        phone = load(asked.file)
        try:
            answer = run(asked, phone)
        finally:
            phone.save(asked.file)
    except urllib.error.HTTPError as refusal:
        sys.stderr.write(f"{refusal}: {refusal.read().decode(errors='replace')}\n")
        return 1
    except (BadGrant, OSError) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
