"""The driver of OVMS v3 boxes behind one broker; see `carbox/box.py` for what each call promises."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from carbox.box import (
    ALIVE_WITHIN_S,
    ANSWER_WITHIN_S,
    DOOR_NAMES,
    FRESH_FOR_S,
    LOCK_NAMES,
    SEND_EXPIRY_S,
    Answer,
    AnswerKind,
    BadCommand,
    Box,
    BoxAddress,
    BoxListener,
    BoxState,
    BoxUnreachable,
    BrokerDown,
    CarBox,
    Command,
    CommandKind,
    Evidence,
    Reading,
)
from carbox.mqtt_link import BrokerAddress, MqttLink
from carbox.ovms_box import BoxMemory, Sent
from carbox.ovms_commands import COMMAND_ID, TOPIC_LEVEL, classified, command_line, judged, masked, observed
from carbox.ovms_metrics import PRESENT, RESTORED, TOLD_ONCE, metrics_of, sources

log = logging.getLogger(__name__)

QUIET_S: Final = 0.2
"""After the box has answered, how long to wait for one more of the readings asked for."""
LOOK_AGAIN_S: Final = 0.3
"""The car may need a moment until its lock reading follows: asked again so often, for ALIVE_WITHIN_S."""
LEVELS_BEFORE_KIND: Final = 3
HEARD: Final = (("metric/#", 0), ("event/#", 0), ("notify/#", 1), ("client/+/response/+", 1))
"""What is subscribed of a box, with its QoS; answers to any client, so that one is told whose asker has died."""


class OvmsBoxes(CarBox):
    """Boxes of one broker account, those that are watched or asked. `clock` returns aware UTC and stamps what arrives;
    `alive_within_s`: so long a box has for a sign of life around a command.
    """

    def __init__(
        self,
        broker: BrokerAddress,
        listener: BoxListener | None,
        clock: Callable[[], datetime],
        *,
        alive_within_s: float = ALIVE_WITHIN_S,
    ) -> None:
        if not TOPIC_LEVEL.fullmatch(broker.client_id):
            raise ValueError("the client id is part of a topic: letters, digits, _ . -")
        self._client = f"client/{broker.client_id}/"
        self._listener = listener
        self._clock = clock
        self._alive_within_s = alive_within_s
        self._guard = threading.Lock()
        self._boxes: dict[BoxAddress, BoxMemory] = {}
        self._late = ThreadPoolExecutor(max_workers=4, thread_name_prefix="late-answer")
        self._stopping = threading.Event()
        self._link = MqttLink(broker, _filters, self._arrived, self._link_turned)

    def start(self) -> None:
        self._link.start()

    def stop(self) -> None:
        self._stopping.set()
        self._link.stop()
        self._late.shutdown(wait=True, cancel_futures=True)

    @property
    def up(self) -> bool:
        return self._link.up

    def watch(self, box: Box) -> None:
        self._hear(box)

    def forget(self, address: BoxAddress) -> None:
        self._link.unhear(address.username)
        with self._guard:
            self._boxes.pop(address, None)

    def ask(self, box: Box, names: tuple[str, ...]) -> None:
        self._publish(self._of(box).address, "request/metric", metrics_of(names))

    def state(self, box: Box) -> BoxState:
        memory = self._memory(box.address)
        with memory.changed:
            return BoxState(memory.readings)

    def announce(self, box: Box, *, present: bool) -> None:
        self._publish(box.address, "active", "1" if present else "0")

    def alive(self, box: Box, within_s: float = ALIVE_WITHIN_S) -> bool:
        memory = self._of(box)
        if self._proved(memory):
            return True
        return self._ask(memory, (), within_s)[1]

    def fresh(self, box: Box, names: tuple[str, ...], within_s: float = ALIVE_WITHIN_S) -> BoxState:
        return self._ask(self._of(box), names, within_s)[0]

    def send(
        self,
        box: Box,
        command: Command,
        *,
        command_id: str,
        wait_s: float = ANSWER_WITHIN_S,
        expiry_s: int = SEND_EXPIRY_S,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        memory = self._of(box)
        if command.kind is CommandKind.PING:
            return self._ping(memory)
        line = command_line(command, box.wiring)
        if not COMMAND_ID.fullmatch(command_id):
            raise BadCommand("a command id is one topic level")
        if not (self._proved(memory, spare_s=0.5) or self._ask(memory, (), self._alive_within_s)[1]):
            raise BoxUnreachable("the box did not answer when asked")
        sent = self._post(memory, Sent(box, command, line, memory.ended), command_id, expiry_s)
        if on_sent is not None:
            on_sent()
        with memory.changed:
            memory.changed.wait_for(lambda: self._decided(memory, sent), wait_s)
            sent.waited = sent.answer is not None
        return self._outcome(memory, sent)

    def _post(self, memory: BoxMemory, sent: Sent, command_id: str, expiry_s: int) -> Sent:
        """Publish once. The last look at the proof and the publishing are one step for this box."""
        with memory.changed:
            if command_id in memory.sent:
                raise BadCommand("this command was sent before")
            if not self._proved(memory):
                raise BoxUnreachable("the box's connection ended just now")
            sent.ended = memory.ended
            self._publish(memory.address, f"command/{command_id}", sent.line, expiry_s)
            memory.remember(command_id, sent)
        return sent

    def _decided(self, memory: BoxMemory, sent: Sent) -> bool:
        return sent.answer is not None or memory.ended != sent.ended or self._stopping.is_set()

    def _outcome(self, memory: BoxMemory, sent: Sent) -> Answer:
        line = masked(sent.line, sent.box.wiring)
        if sent.answer is None and memory.ended != sent.ended:
            return Answer(AnswerKind.LOST, dead=True, sent=line)
        kind = AnswerKind.SILENT if sent.answer is None else classified(sent.answer)
        if self._stopping.is_set() or not self.up:
            state, heard = BoxState(), False
        else:
            state, heard = self._observed(memory, sent, kind)
        effect, evidence = judged(sent.command, sent.box.wiring, state)
        return Answer(
            kind,
            evidence=evidence,
            effect=effect,
            dead=heard or sent.answer is not None or memory.ended != sent.ended,
            sent=line,
            text=masked(sent.answer or "", sent.box.wiring),
            answered_at=sent.answered_at,
            state=state,
        )

    def _observed(self, memory: BoxMemory, sent: Sent, kind: AnswerKind) -> tuple[BoxState, bool]:
        """Ask what is true now; look again while a car that looks at its lock has not caught up."""
        names = observed(sent.command)
        ends = time.monotonic() + self._alive_within_s
        state, heard = self._ask(memory, names, self._alive_within_s, quiet=True)
        while (
            kind is AnswerKind.CONFIRMED
            and not sent.box.wiring.optimistic_lock
            and judged(sent.command, sent.box.wiring, state)[0] is False
            and (left := ends - time.monotonic()) > LOOK_AGAIN_S
            and not self._stopping.wait(LOOK_AGAIN_S)
        ):
            later, _again = self._ask(memory, names, left - LOOK_AGAIN_S, quiet=True)
            state = BoxState({**state, **later})
        return state, heard

    def _ping(self, memory: BoxMemory) -> Answer:
        state, heard = self._ask(memory, LOCK_NAMES, self._alive_within_s)
        if not heard:
            raise BoxUnreachable("the box did not answer when asked")
        return Answer(
            AnswerKind.CONFIRMED,
            Evidence.STRONG,
            effect=True,
            dead=True,
            answered_at=self._clock(),
            state=state,
        )

    def _ask(
        self, memory: BoxMemory, names: tuple[str, ...], within_s: float, *, quiet: bool = False
    ) -> tuple[BoxState, bool]:
        """Request readings, then a sign of life: the box works in order, so its arrival ends the wait.

        `quiet`: a broker that went away meanwhile means no readings, not an error.
        """
        asked_at = time.monotonic()
        with memory.changed:
            before, ended = memory.arrivals, memory.ended
            memory.asked_until = asked_at + within_s
            unseen = not memory.sees_car
        asked = (*names, *DOOR_NAMES) if unseen and not RESTORED.isdisjoint(names) else names
        if not self._request(memory.address, tuple(dict.fromkeys(asked)), quiet=quiet):
            return BoxState(), False
        wanted = set(sources(names))
        with memory.changed:
            while not self._stopping.is_set() and memory.ended == ended:
                now = time.monotonic()
                answered = memory.present_at > before
                missing = any(memory.arrived.get(name, 0) <= before for name in wanted)
                until = min(
                    asked_at + within_s, memory.last_at + QUIET_S if answered else asked_at + within_s
                )
                if (answered and not missing) or now >= until:
                    break
                memory.changed.wait(until - now)
            answered = memory.present_at > before and memory.ended == ended and self.up
            if answered:
                memory.proof_at = max(asked_at, memory.proof_at or asked_at)
            return memory.since(before, names), answered

    def _request(self, address: BoxAddress, names: tuple[str, ...], *, quiet: bool) -> bool:
        asked = [metrics_of(names)] if names else []
        if quiet and not self.up:
            return False
        for wanted in (*asked, ",".join(PRESENT)):
            self._publish(address, "request/metric", wanted)
        return True

    def _publish(self, address: BoxAddress, topic: str, text: str, expiry_s: int = SEND_EXPIRY_S) -> None:
        self._link.publish(f"{address.prefix}{self._client}{topic}", text, expiry_s=expiry_s)

    def _proved(self, memory: BoxMemory, spare_s: float = 0.0) -> bool:
        proof = memory.proof_at
        return proof is not None and self.up and time.monotonic() - proof <= FRESH_FOR_S - spare_s

    def _of(self, box: Box) -> BoxMemory:
        """What is known of a box that is about to be asked: its answers are heard."""
        return self._hear(box, at_once=True)

    def _hear(self, box: Box, *, at_once: bool = False) -> BoxMemory:
        for level in (box.address.username, box.address.vehicle):
            if not TOPIC_LEVEL.fullmatch(level):
                raise BadCommand("a box's name is one topic level")
        memory = self._memory(box.address)
        memory.rewire(box.wiring)
        self._link.hear(box.address.username, at_once=at_once)
        return memory

    def _memory(self, address: BoxAddress) -> BoxMemory:
        with self._guard:
            return self._boxes.setdefault(address, BoxMemory(address))

    def _link_turned(self, up: bool) -> None:  # noqa: FBT001 - the link's callback
        if up:
            return
        with self._guard:
            boxes = list(self._boxes.values())
        for memory in boxes:
            memory.link_lost()

    def _arrived(self, topic: str, text: str, retained: bool) -> None:  # noqa: FBT001 - the link's callback
        levels = topic.split("/")
        if not self._link.hears(levels[1]):
            return  # forgotten while it was on its way
        address, rest = BoxAddress(levels[1], levels[2]), levels[LEVELS_BEFORE_KIND:]
        with self._guard:
            memory = self._boxes.get(address)
        if memory is None:
            return  # a box may write whatever it likes behind its own name; it has one vehicle
        if rest[0] == "metric":
            self._metric(memory, ".".join(rest[1:]), text, retained=retained)
        elif rest[0] == "client" and not retained:
            self._answered(memory, rest[-1], text)
        elif self._listener and len(rest) > 1 and not retained:
            levels = rest[1:-2] if rest[:2] == ["notify", "data"] else rest[1:]
            self._told(self._listener, address, ".".join(levels), text)

    def _told(self, listener: BoxListener, address: BoxAddress, event: str, text: str) -> None:
        """An event is told as such; one that says something of the car as a reading too."""
        listener.on_event(address, event, text)
        name = TOLD_ONCE.get(event)
        if name is not None:
            told = Reading(name, value=True, received_at=self._clock(), retained=False)
            listener.on_reading(address, BoxState({name: told}))

    def _metric(self, memory: BoxMemory, metric: str, text: str, *, retained: bool) -> None:
        address = memory.address
        delta, turned = memory.take(metric, text, retained=retained, at=self._clock())
        if memory.doubts():
            with contextlib.suppress(BrokerDown):
                self._publish(address, "request/metric", metrics_of(DOOR_NAMES))
        if self._listener is None:
            return
        if turned is not None:
            self._listener.on_connection(address, up=turned)
        if delta:
            self._listener.on_reading(address, delta)

    def _answered(self, memory: BoxMemory, command_id: str, text: str) -> None:
        with memory.changed:
            sent = memory.sent.get(command_id)
            if sent is not None and sent.answer is not None:
                return  # the box carried it out twice, or the broker repeated itself
            if sent is not None:
                sent.answer, sent.answered_at = text, self._clock()
                memory.changed.notify_all()
                if sent.waited:
                    return
        if self._listener is not None and not self._stopping.is_set():
            self._late.submit(self._tell_late, self._listener, memory, command_id, sent, text)

    def _tell_late(
        self, listener: BoxListener, memory: BoxMemory, command_id: str, sent: Sent | None, text: str
    ) -> None:
        if sent is None:  # sent by an earlier process
            text = masked(text, memory.wiring)
            answer = Answer(classified(text), dead=True, text=text, answered_at=self._clock())
        else:
            answer = self._outcome(memory, sent)
        try:
            listener.on_late_answer(memory.address, command_id, answer)
        except Exception:
            log.exception("late answer of %s was not taken", memory.address.username)


def _filters(username: str) -> list[tuple[str, int]]:
    return [(f"ovms/{username}/+/{topic}", qos) for topic, qos in HEARD]
