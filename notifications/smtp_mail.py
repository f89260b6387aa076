"""Mail through an SMTP server."""

import re
import smtplib
import ssl
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from notifications.mail import AddressRefused, MailError, MailRefused, MailUnavailable, MailUnknown

_PERMANENT = range(500, 600)
_RECIPIENT_CODES = frozenset({550, 551, 553, 556})
# RFC 5321 without quoted local parts: nothing in it can end a header or an SMTP command.
_BARE = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
# Controls, lone surrogates, and the two line ends of Unicode.
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_WIRE = policy.SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail goes out and as whom; without a user no sign-in is tried."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = True
    timeout: float = 10.0
    ca_file: str | None = None


class SmtpMail:
    """The real mail door: one connection per mail, UTF-8 text, our own Message-ID."""

    def __init__(self, server: SmtpServer, *, real_time: Callable[[], float] = time.time) -> None:
        """`real_time` gives Unix seconds, for the Date header."""
        if server.user and not server.starttls:
            raise ValueError("a mail password is never sent without STARTTLS")
        self._server = server
        self._real_time = real_time
        self._sender = _address(parseaddr(server.sender)[1])

    def send(self, *, to: str, subject: str, text: str, message_id: str) -> None:
        """Hand one mail over; MailError otherwise."""
        to = _address(to)
        mail = self._composed(to, subject, text, message_id)
        try:
            client = smtplib.SMTP(self._server.host, self._server.port, timeout=self._server.timeout)
        except (OSError, smtplib.SMTPException) as error:
            raise _ours(error) from error
        try:
            self._sign_in(client)
            self._hand_over(client, mail, to)
        except (OSError, smtplib.SMTPException) as error:
            raise _ours(error) from error
        finally:
            client.close()

    def _composed(self, to: str, subject: str, text: str, message_id: str) -> EmailMessage:
        mail = EmailMessage(policy=_WIRE)
        try:
            mail["From"] = self._server.sender
            mail["To"] = to
            mail["Subject"] = _one_line(subject)
            mail["Date"] = format_datetime(datetime.fromtimestamp(self._real_time(), UTC))
            mail["Message-ID"] = f"<{_one_line(message_id)}@{self._sender.rpartition('@')[2]}>"
            # RFC 3834: holiday replies and list robots leave it alone.
            mail["Auto-Submitted"] = "auto-generated"
        except ValueError as error:
            raise MailRefused(f"not a header: {error}") from error
        mail.set_content(text, charset="utf-8")
        return mail

    def _sign_in(self, client: smtplib.SMTP) -> None:
        if self._server.starttls:
            client.starttls(context=ssl.create_default_context(cafile=self._server.ca_file))
        if self._server.user:
            client.login(self._server.user, self._server.password)

    def _hand_over(self, client: smtplib.SMTP, mail: EmailMessage, to: str) -> None:
        """MAIL and RCPT by hand, so that a break before DATA is told from one after it."""
        client.ehlo_or_helo_if_needed()
        _accepted(client.mail(self._sender))
        code, answer = client.rcpt(to)
        if code in _RECIPIENT_CODES:
            raise AddressRefused(_said(answer), code=code)
        _accepted((code, answer))
        try:
            _accepted(client.data(mail.as_bytes()))
        except (smtplib.SMTPServerDisconnected, TimeoutError) as error:
            raise MailUnknown("the line broke after the text was sent") from error


def _accepted(reply: tuple[int, bytes]) -> None:
    code, answer = reply
    if not 200 <= code < 300:
        raise _by_code(code, _said(answer))


def _by_code(code: int, reason: str) -> MailError:
    return (MailRefused if code in _PERMANENT else MailUnavailable)(reason, code=code)


def _ours(error: OSError | smtplib.SMTPException) -> MailError:
    if isinstance(error, smtplib.SMTPResponseException):
        return _by_code(error.smtp_code, str(error))
    if isinstance(error, smtplib.SMTPNotSupportedError | ssl.SSLCertVerificationError):
        return MailRefused(f"the server's side of the set-up does not fit: {error}")
    return MailUnavailable(f"no mail server: {error}")


def _said(answer: bytes) -> str:
    return answer.decode("utf-8", "replace")


def _one_line(value: str) -> str:
    if any(unicodedata.category(sign) in _CONTROLS for sign in value):
        raise MailRefused("a header holds a line break or another control character")
    return value


def _address(value: str) -> str:
    """The bare ASCII address; what is not exactly one is refused before it can become a header or a command.

    A domain with accents travels in its IDNA form; a local part with accents would need SMTPUTF8 all the way
    and is refused.
    """
    local, _, domain = value.rpartition("@")
    try:
        bare = f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError as error:
        raise AddressRefused("not a domain") from error
    if not _BARE.fullmatch(bare):
        raise AddressRefused("not an e-mail address")
    return bare
