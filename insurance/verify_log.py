"""Does an export of the log hold together? Needs this file and the export; no line of ours, no database.

    python verify_log.py log.jsonl [--keys jwks.json] [--heads heads.txt] [--since head.txt]

The export has a JSON object a line, in the order of positions:

    {"fact": {position, seq, kind, data, at, recorded_at, chain}}   `data` is JSON text, taken as it stands
    {"cover": {position, version}}      the version of a cover that the fact at this position bound by its `digest`
    {"claim": {position, version}}      that of a claim, which its fact bound by its `sha256`
    {"custody": {position, version}}    the entry of custody that its fact says word for word
    {"head": JWS}                       what was signed about all facts up to its `last`

Facts are chained by SHA-256. The facts that came since the head before are the leaves of a Merkle tree (RFC 9162, 2.1)
whose root is signed with the chain: one fact is proved to lie under a head without showing any other. With `--keys`
the signatures are checked, which needs the package `cryptography`; `--heads` are heads that were kept elsewhere, one a
line: whoever wrote the log anew cannot have changed those. An export may begin after a head that was kept: `--since` is it.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

GENESIS = hashlib.sha256(b"glovebox facts").digest()
TYP = "log-head+jwt"
PARTS = ("seq", "kind", "data", "at", "recorded_at")
BOUND = {"cover": "the cover's version", "claim": "the claim's version", "custody": "the entry of custody"}
CLAIMS = ("ClaimNotified", "ClaimChanged")
TELL_EVERY = 100_000


def sha256(*parts: bytes) -> bytes:
    """Of these bytes, one after the other."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.digest()


def _digests(fact: Mapping[str, Any]) -> list[bytes]:
    return [sha256(str(fact[name]).encode()) for name in PARTS]


def link(before: bytes, fact: Mapping[str, Any]) -> bytes:
    """The chain at a fact: of the chain before it and of everything the fact says."""
    return sha256(before, *_digests(fact))


def leaf(fact: Mapping[str, Any]) -> bytes:
    """The fact in its tree: bound to its position."""
    return sha256(b"\x00", str(fact["position"]).encode(), b" ", *_digests(fact))


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: what `digest` is the SHA-256 of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(version: Mapping[str, Any]) -> str:
    """What a fact says of a version of a cover or claim."""
    return sha256(canonical(version).encode()).hex()


def bound(fact: Mapping[str, Any]) -> tuple[str, str] | None:
    """Of what the fact speaks, and the digest that this must have; None where it binds nothing."""
    data = json.loads(fact["data"])
    if fact["kind"] == "CustodyRecorded":
        return "custody", digest(data)
    if fact["kind"] in CLAIMS:
        return "claim", data["sha256"]
    found = data.get("digest")
    return None if found is None else ("cover", found)


def root(nodes: Sequence[bytes]) -> bytes:
    """The root over nodes of one height, the last of which may be lower."""
    while len(nodes) > 1:
        nodes = _joined(nodes)
    return nodes[0]


def _joined(nodes: Sequence[bytes]) -> Sequence[bytes]:
    """The nodes above: each of two, the last alone where their number is odd."""
    pairs = [sha256(b"\x01", nodes[i], nodes[i + 1]) for i in range(0, len(nodes) - 1, 2)]
    return [*pairs, nodes[-1]] if len(nodes) % 2 else pairs


def path(nodes: Sequence[bytes], index: int) -> list[bytes]:
    """What is joined to the node at `index`, from the bottom up, to come to the root."""
    found = []
    while len(nodes) > 1:
        beside = index ^ 1
        if beside < len(nodes):
            found.append(nodes[beside])
        nodes = _joined(nodes)
        index //= 2
    return found


def climb(node: bytes, index: int, size: int, beside: Iterable[bytes]) -> bytes | None:
    """The root that a node at `index` of `size` comes to along its path; None when the path has not its length."""
    left = iter(beside)
    while size > 1:
        if index ^ 1 < size:
            other = next(left, None)
            if other is None:
                return None
            node = sha256(b"\x01", other, node) if index % 2 else sha256(b"\x01", node, other)
        index, size = index // 2, (size + 1) // 2
    return node if next(left, None) is None else None


def proved(proof: Mapping[str, Any]) -> str | None:
    """What is wrong with a proof of `/covers/{id}/proof`; None when nothing is. Its head's signature is not looked at."""
    fact, version, claims = proof["fact"], proof["cover"], claims_of(proof["head"])
    if json.loads(fact["data"]).get("digest") != digest(version):
        return "the fact speaks of another version"
    if not claims["first"] <= fact["position"] <= claims["last"]:
        return "the fact does not lie under this head"
    index, size = fact["position"] - claims["first"], claims["last"] - claims["first"] + 1
    found = climb(leaf(fact), index, size, [bytes.fromhex(one) for one in proof["path"]])
    return (
        None if found is not None and found.hex() == claims["root"] else "the path does not lead to the root"
    )


def claims_of(head: str) -> dict[str, Any]:
    """What a head says, unproved. Raises ValueError."""
    parts = head.strip().split(".")
    if len(parts) != 3:
        raise ValueError("not a compact JWS")
    claims: dict[str, Any] = json.loads(_bytes(parts[1]))
    return claims


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Signatures:
    """The published keys; ES256 and our own `typ` alone."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self._keys = {key["kid"]: key for key in keys["keys"]}

    def wrong(self, head: str) -> str | None:
        """Why a head's signature does not hold; None when it does."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            header, payload, signature = head.strip().split(".")
            said, raw = json.loads(_bytes(header)), _bytes(signature)
            if (said.get("typ"), said.get("alg")) != (TYP, "ES256"):
                return "signed as something else"
            key = self._keys.get(said.get("kid"))
            if key is None:
                return "signed with a key that was never published"
            x, y = (int.from_bytes(_bytes(key[name]), "big") for name in ("x", "y"))
            public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
            public.verify(der, f"{header}.{payload}".encode(), ec.ECDSA(SHA256()))
        except (ValueError, InvalidSignature):
            return "the signature does not fit"
        return None


class Log:
    """Reads an export line by line and remembers what the next line must fit to."""

    def __init__(
        self, signatures: Signatures | None = None, kept: Iterable[str] = (), since: str | None = None
    ) -> None:
        before: dict[str, Any] = {"last": 0, "chain": GENESIS.hex()} if since is None else claims_of(since)
        self._signatures = signatures
        self._kept = {claims_of(head)["last"]: head.strip() for head in kept}
        self.begins: int = before["last"]
        self.position = self.begins
        self.heads = 0
        self.seen = dict.fromkeys(BOUND, 0)
        self._chain, self._leaves = bytes.fromhex(before["chain"]), list[bytes]()
        self._first = self.position + 1
        self._bound: tuple[str, str] | None = None

    def take(self, line: str) -> Iterator[str]:
        """What is wrong at this line."""
        try:
            entry = json.loads(line)
            ((name, value),) = entry.items()
            if name == "fact":
                yield from self._fact(value)
            elif name in BOUND:
                yield from self._version(name, value)
            else:
                yield from self._head(value)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            yield f"after position {self.position}: a line that cannot be read ({type(error).__name__}: {error})"

    def end(self) -> Iterator[str]:
        """What is missing at the end."""
        yield from self._unshown()
        for last in sorted(one for one in self._kept if one > self.begins):
            yield f"position {last}: a head that was kept ends here, and the log has none there"

    def _fact(self, fact: dict[str, Any]) -> Iterator[str]:
        yield from self._unshown()
        position = fact["position"]
        if position <= self.position:
            yield f"position {position}: comes again, or too late"
            return
        if position != self.position + 1:
            missing = f"{self.position + 1}" + (f" to {position - 1}" if position > self.position + 2 else "")
            yield f"position {missing}: missing"
            self._leaves += [b""] * (position - self.position - 1)
        elif link(self._chain, fact).hex() != fact["chain"]:
            yield f"position {position}: what the fact says is not what was chained"
        self.position, self._chain = position, bytes.fromhex(fact["chain"])
        self._leaves.append(leaf(fact))
        self._bound = bound(fact)

    def _version(self, name: str, said: dict[str, Any]) -> Iterator[str]:
        if said["position"] != self.position or self._bound is None or self._bound[0] != name:
            yield f"position {said['position']}: {BOUND[name]} that no fact speaks of"
            return
        if digest(said["version"]) != self._bound[1]:
            yield f"position {self.position}: {BOUND[name]} is not the one that was recorded"
        self._bound = None
        self.seen[name] += 1

    def _head(self, head: str) -> Iterator[str]:
        yield from self._unshown()
        claims = claims_of(head)
        last = claims["last"]
        where = f"position {last}: the signed head"
        kept = self._kept.pop(last, None)
        if kept is not None and kept != head:
            yield f"{where} is not the one that was kept"
        if self._signatures and (wrong := self._signatures.wrong(head)):
            yield f"{where}: {wrong}"
        if (claims["first"], last) != (self._first, self.position):
            yield f"{where} speaks of {claims['first']} to {last}, the log has {self._first} to {self.position}"
        elif claims["chain"] != self._chain.hex() or claims["root"] != root(self._leaves).hex():
            yield f"{where} does not fit: a fact from {self._first} to {last} was changed after it was signed"
        self._first, self._leaves = last + 1, []
        self.heads += 1

    def _unshown(self) -> Iterator[str]:
        if self._bound is not None:
            yield f"position {self.position}: {BOUND[self._bound[0]]} that the fact speaks of is missing"
        self._bound = None


def verify(
    lines: Iterable[str],
    *,
    keys: Mapping[str, Any] | None = None,
    kept: Iterable[str] = (),
    since: str | None = None,
    tell: Any = None,
) -> tuple[list[str], Log]:
    """Everything that is wrong, in the order of positions, and what was read. `tell` is given a count now and then.

    `since`: the head after which the lines begin, which is believed.
    """
    log, wrong = Log(Signatures(keys) if keys else None, kept, since), list[str]()
    for number, line in enumerate(lines, 1):
        if line.strip():
            wrong += log.take(line)
        if tell is not None and number % TELL_EVERY == 0:
            tell(number)
    wrong += log.end()
    return wrong, log


def main() -> int:
    """0 when all fits, 1 when something does not, 2 when it cannot be looked at."""
    parser = argparse.ArgumentParser(description="Does an export of the log hold together?")
    parser.add_argument("file", type=Path)
    parser.add_argument("--keys", type=Path, help="the key set of /.well-known/jwks.json, as a file")
    parser.add_argument("--heads", type=Path, help="heads that were kept, one a line")
    parser.add_argument("--since", type=Path, help="the kept head after which the export begins")
    given = parser.parse_args()
    try:
        keys = json.loads(given.keys.read_text("utf-8")) if given.keys else None
        kept = [one for one in given.heads.read_text("utf-8").splitlines() if one] if given.heads else []
        with given.file.open(encoding="utf-8") as lines:
            since = given.since.read_text("utf-8").strip() if given.since else None
            wrong, log = verify(lines, keys=keys, kept=kept, since=since, tell=_progress)
    except (OSError, ValueError, ImportError) as error:
        sys.stderr.write(f"cannot be verified: {error}\n")
        return 2
    for one in [*wrong, said(wrong, log, signed=keys is not None)]:
        sys.stdout.write(f"{one}\n")
    return 1 if wrong else 0


def said(wrong: Sequence[str], log: Log, *, signed: bool) -> str:
    """The closing line."""
    looked = "signatures checked" if signed else "signatures not looked at: no keys were given"
    covers, claims, custody = log.seen.values()
    versions = f"{covers} versions of covers, {claims} of claims, {custody} entries of custody"
    counts = f"{log.position - log.begins} facts, {versions}, {log.heads} signed heads ({looked})"
    return f"{len(wrong)} wrong among {counts}" if wrong else f"all fits: {counts}"


def _progress(lines: int) -> None:
    sys.stderr.write(f"{lines} lines read\n")


if __name__ == "__main__":
    raise SystemExit(main())
