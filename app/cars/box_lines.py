"""What an installer enters at the box's shell, word for word; shown once, as text and as a QR code of the same text.

Source: OVMS v3 (`ovms_server_v3.cpp`, `ovms_vfs.cpp`, `ovms_tls.cpp`, its manual on EGPIO). `server v3 stop` comes first and
`start` last: between them the box would sign in with half of a new account, be refused, and give up.
"""

from typing import Any, Final

import segno

from app.cars import box as boxes
from app.cars.models import Box
from app.kit.config import Settings
from app.kit.keys import settings

KEEPALIVE_S: Final = 60
CA_PATH: Final = "/store/trustedca/glovebox.pem"
AT_ONCE: Final = "v.e.locked,v.d.*,v.e.on,v.c.charging,m.egpio.input"
"""Told when they change, not with the next tick: what decides over unlock and lock."""
QR_AT_MOST: Final = 2953
"""Bytes of the largest code there is (version 40, error correction L). ISO/IEC 18004."""


def credentials(box: Box, password: str) -> dict[str, Any]:
    """The account the box is to use from now on, and the lines that say so."""
    lines = config_lines(box, password, settings())
    return {
        "username": boxes.newest(box),
        "password": password,
        "vehicle": box.vehicle,
        "config_lines": lines,
        "qr": qr(lines),
    }


def config_lines(box: Box, password: str, house: Settings) -> list[str]:
    """In the order in which they are entered; entering them twice does no harm."""
    username = boxes.newest(box)
    return [
        "server v3 stop",
        *_trust(house.mqtt_public_ca if house.mqtt_public_tls else ""),
        f"config set vehicle id {box.vehicle}",
        f"config set server.v3 server {house.mqtt_public_host}",
        f"config set server.v3 port {house.mqtt_public_port}",
        f"config set server.v3 tls {'yes' if house.mqtt_public_tls else 'no'}",
        f"config set server.v3 user {username}",
        f"config set password server.v3 {password}",
        f"config set server.v3 topic.prefix ovms/{username}/{box.vehicle}/",
        f"config set server.v3 updatetime.keepalive {KEEPALIVE_S}",
        "config set server.v3 updatetime.immediately yes",
        f"config set server.v3 metrics.include.immediately {AT_ONCE}",
        *_key_switch(box),
        "config set auto server.v3 yes",
        "server v3 start",
    ]


def _trust(ca: str) -> list[str]:
    """The authority into the box's trust list. The shell can only append to a file, line by line; hence `rm` before."""
    if not ca:
        return []
    appended = [f'vfs append "{line}" {CA_PATH}' for line in ca.split("\n") if line]
    return ["vfs mkdir /store/trustedca", f"vfs rm {CA_PATH}", *appended, "tls trust reload"]


def _key_switch(box: Box) -> list[str]:
    """Watched from now on, and after each start of the box."""
    switch = boxes.wiring(box).key_sensor
    if switch is None:
        return []
    return [
        f"config set egpio monitor.ports {switch.port}",
        "config set auto egpio yes",
        f"egpio monitor on {switch.port}",
    ]


def qr(lines: list[str]) -> str:
    """The lines as a picture; an authority too long for one code is left out and must be pasted."""
    text = "\n".join(lines)
    if len(text.encode()) > QR_AT_MOST:
        text = "\n".join(line for line in lines if not line.startswith(("vfs ", "tls ")))
    return str(segno.make(text, error="l", micro=False, boost_error=False).svg_data_uri(scale=3))
