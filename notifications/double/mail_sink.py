"""A mail server that delivers to nobody: it keeps what it takes, or fails as told."""

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

# Control word -> (the command it strikes, the answer).
FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "busy": ("RCPT", "451 4.3.2 Please come back later"),
    "greylisted": ("DATA", "450 4.7.1 Greylisted, try again later"),
    "unknown_recipient": ("RCPT", "550 5.1.1 No such user here"),
    "refused": ("DATA", "554 5.7.1 Message refused"),
    "lost": ("DATA", ""),
}


@dataclass(slots=True)
class _Fault:
    answer: str
    times: int


class MailSink:
    """The server's mind: the mails it holds and the faults it was told to make."""

    def __init__(self) -> None:
        self._mails: list[dict[str, Any]] = []
        self._faults: dict[str | None, _Fault] = {}
        self._lock = threading.Lock()

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        answer = self._struck("RCPT", address)
        if answer is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        to = envelope.rcpt_tos[0]
        answer = self._struck("DATA", to)
        if answer:
            return answer
        self._keep(envelope, session)
        if answer == "" and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return "250 OK"

    def mails(self, to: str | None = None) -> dict[str, Any]:
        """What was taken, oldest first, for one address or for all."""
        with self._lock:
            return {"mails": [mail for mail in self._mails if to is None or to in mail["recipients"]]}

    def set_fault(self, order: Mapping[str, Any]) -> None:
        """{answer, to?, times? (1; 0: until told otherwise)}; `none` ends it."""
        answer, to = order["answer"], order.get("to")
        with self._lock:
            if answer == "none":
                self._faults.pop(to, None)
                return
            if answer not in FAULTS:
                raise ValueError(f"answer is one of none, {', '.join(FAULTS)}")
            self._faults[to] = _Fault(answer, int(order.get("times", 1)))

    def reset(self) -> None:
        """Forget mails and faults."""
        with self._lock:
            self._mails.clear()
            self._faults.clear()

    def _struck(self, command: str, address: str) -> str | None:
        with self._lock:
            for key in (address, None):
                fault = self._faults.get(key)
                if fault and FAULTS[fault.answer][0] == command:
                    fault.times -= 1
                    if fault.times == 0:
                        del self._faults[key]
                    return FAULTS[fault.answer][1]
        return None

    def _keep(self, envelope: Envelope, session: Session) -> None:
        raw = envelope.original_content or b""
        mail: EmailMessage = message_from_bytes(raw, policy=policy.default)
        kept = {
            "at": time.time(),
            "sender": envelope.mail_from,
            "recipients": list(envelope.rcpt_tos),
            "headers": {name: str(value) for name, value in mail.items()},
            "subject": str(mail["Subject"]),
            "message_id": str(mail["Message-ID"]),
            "text": mail.get_content(),
            "encrypted": session.ssl is not None,
            "signed_in": bool(session.authenticated),
        }
        with self._lock:
            self._mails.append(kept)


def _authenticate(server: SMTP, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
    del server, session, envelope, how
    password_right = isinstance(data, LoginPassword) and data.password != b"wrong"
    return AuthResult(success=password_right, handled=False)


def serve(sink: MailSink, port: int, tls: ssl.SSLContext) -> int:
    """Start the server in a thread of its own and answer its port; any password but `wrong` signs in."""
    # Its remarks would go to stderr for want of a handler; a broken session is what we do on purpose.
    logging.getLogger("mail").addHandler(logging.NullHandler())
    loop = asyncio.new_event_loop()

    def protocol() -> SMTP:
        return SMTP(
            sink, hostname="double", tls_context=tls, authenticator=_authenticate, loop=loop, timeout=60
        )

    server = loop.run_until_complete(loop.create_server(protocol, "127.0.0.1", port))
    threading.Thread(target=loop.run_forever, name="smtp", daemon=True).start()
    return int(server.sockets[0].getsockname()[1])
