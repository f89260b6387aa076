"""Push services of browsers: which we speak to, and the key they know us by."""

import base64
from functools import cache
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.kit.config import Settings
from app.kit.fetch import AddressForbidden, check_url


def check(url: str, house: Settings) -> None:
    """Raises ValueError with what is wrong with an endpoint: no public https URL, or of no push service we know."""
    try:
        check_url(url, local=house.clock_may_move)
        host = (urlsplit(url).hostname or "").lower()
    except AddressForbidden as error:
        raise ValueError(str(error)) from error
    if not any(_fits(host, one) for one in house.web_push_hosts):
        raise ValueError("Is to be of a push service of a browser.")


def _fits(host: str, known: str) -> bool:
    """`*.example.org` stands for every host below it."""
    return host.endswith(known[1:]) if known.startswith("*.") else host == known


def check_keys(p256dh: str, auth: str) -> None:
    """Raises ValueError for keys of a subscription nobody could read by."""
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _unb64(p256dh))
    if len(_unb64(auth)) != 16:
        raise ValueError("not 16 bytes")


@cache
def public_key(private: str) -> str:
    """What an app subscribes with (`applicationServerKey`): base64url of 65 bytes."""
    key = ec.derive_private_key(int.from_bytes(_unb64(private)), ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
