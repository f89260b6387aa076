"""One connection to the broker: MQTT 5, kept up by itself, nothing queued while it is down."""

import itertools
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from carbox.box import BrokerDown

log = logging.getLogger(__name__)

KEEP_ALIVE_S: Final = 30
SESSION_S: Final = 60
"""The broker keeps answers (QoS 1) for us so long while we reconnect."""
RECONNECT_S: Final = (1, 10)
LONGEST_PAYLOAD: Final = 16_384
AT_ONCE: Final = 8
"""So many names are subscribed in one packet, the next once the broker has taken it: with it come all messages that it keeps
of them, and of more than a thousand that wait for a client it drops the rest."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and who we are there; `client_id` is also the client part of the boxes' topics."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    client_id: str = "glovebox"
    ca_file: str | None = None


class MqttLink:
    """Publishes only while connected; hands on what arrives as (topic, text, retained).

    What is heard is kept by name and subscribed anew on each connection; `filters` gives a name's topics and their QoS.
    """

    def __init__(
        self,
        broker: BrokerAddress,
        filters: Callable[[str], list[tuple[str, int]]],
        on_message: Callable[[str, str, bool], None],
        on_link: Callable[[bool], None],
    ) -> None:
        self._broker = broker
        self._filters = filters
        self._on_message = on_message
        self._on_link = on_link
        self._guard = threading.Lock()
        self._up = False
        self._heard: set[str] = set()
        self._waiting: dict[str, None] = {}
        self._under_way: int | None = None
        self._client = self._made()

    def _made(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=self._broker.client_id, protocol=MQTTv5)
        client.username_pw_set(self._broker.username, self._broker.password)
        client.reconnect_delay_set(*RECONNECT_S)
        if self._broker.ca_file:
            client.tls_set(ca_certs=self._broker.ca_file)
        client.enable_logger(log)
        client.suppress_exceptions = True  # logged; a listener's mistake must not end the network thread
        client.on_socket_open = _no_delay
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.on_message = self._arrived
        return client

    @property
    def up(self) -> bool:
        return self._up

    def start(self) -> None:
        properties = _properties(PacketTypes.CONNECT, SessionExpiryInterval=SESSION_S)
        self._client.connect_async(
            self._broker.host, self._broker.port, keepalive=KEEP_ALIVE_S, properties=properties
        )
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._set_up(up=False)

    def hear(self, name: str, *, at_once: bool = False) -> None:
        """From now on, also on later connections. `at_once`: before anything that is published after this call."""
        with self._guard:
            if name not in self._heard:
                self._heard.add(name)
                self._waiting[name] = None
            if at_once and self._up and name in self._waiting:
                del self._waiting[name]
                self._client.subscribe(self._filters(name))
            self._subscribe_next()

    def hears(self, name: str) -> bool:
        return name in self._heard

    def unhear(self, name: str) -> None:
        with self._guard:
            if name in self._heard and self._up:
                self._client.unsubscribe([topic for topic, _ in self._filters(name)])
            self._heard.discard(name)
            self._waiting.pop(name, None)

    def _subscribe_next(self) -> None:
        """The next names, unless some are under way. The caller holds the guard."""
        if not self._up or not self._waiting or self._under_way is not None:
            return
        names = list(itertools.islice(self._waiting, AT_ONCE))
        for name in names:
            del self._waiting[name]
        _result, self._under_way = self._client.subscribe(
            [one for name in names for one in self._filters(name)]
        )

    def publish(self, topic: str, payload: str, *, expiry_s: int) -> None:
        """Send at QoS 0, not retained, to be dropped by the broker after `expiry_s`. Raises BrokerDown."""
        properties = _properties(PacketTypes.PUBLISH, MessageExpiryInterval=expiry_s)
        with self._guard:  # so that nothing written for a dead connection reaches the next one
            if not self._up:
                raise BrokerDown("no connection to the broker")
            sent = self._client.publish(topic, payload, qos=0, retain=False, properties=properties)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerDown(f"the broker connection failed: {sent.rc!s}")

    def _connected(self, _client: Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            return
        with self._guard:
            self._waiting, self._under_way = dict.fromkeys(self._heard), None
        self._set_up(up=True)
        with self._guard:
            self._subscribe_next()

    def _subscribed(
        self, _client: Client, _user: Any, mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("the broker refused a subscription: %s", reasons)
        with self._guard:
            if mid == self._under_way:
                self._under_way = None
            self._subscribe_next()

    def _disconnected(self, _client: Client, _user: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        self._set_up(up=False)

    def _set_up(self, *, up: bool) -> None:
        with self._guard:
            changed = up != self._up
            self._up = up
        if changed:
            self._on_link(up)

    def _arrived(self, _client: Client, _user: Any, message: MQTTMessage) -> None:
        if len(message.payload) <= LONGEST_PAYLOAD:
            self._on_message(message.topic, message.payload.decode("utf-8", "replace"), message.retain)


def let_in(broker: BrokerAddress, within_s: float = 5.0) -> bool:
    """Whether the broker knows this account now; leaves at once. A broker that is away is a no."""
    decided, welcome = threading.Event(), []

    def connected(_client: Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        welcome.append(not reason.is_failure)
        decided.set()

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5, reconnect_on_failure=False)
    client.username_pw_set(broker.username, broker.password)
    if broker.ca_file:
        client.tls_set(ca_certs=broker.ca_file)
    client.on_connect = connected
    client.on_disconnect = lambda *_: decided.set()
    client.connect_async(broker.host, broker.port)
    client.loop_start()
    decided.wait(within_s)
    client.disconnect()
    client.loop_stop()
    return welcome[:1] == [True]


def _no_delay(_client: Client, _user: Any, sock: Any) -> None:
    # without it each command costs 44 ms: Nagle against delayed acknowledgements
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _properties(packet: int, **values: int) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
