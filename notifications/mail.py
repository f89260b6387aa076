"""What we ask of a mail server: take one plain text for one person.

MailError
├── MailUnavailable  try again later, surely not taken
├── MailUnknown      the line broke after the text was sent: try again with the same message id
├── AddressRefused   this address cannot be written to
└── MailRefused      the text or our credentials are wrong: a repeat cannot help
"""

from typing import ClassVar, Protocol


class MailError(Exception):
    """A mail was not, or perhaps not, taken; `code` is the server's SMTP answer where there was one."""

    may_have_acted: ClassVar[bool] = False
    temporary: ClassVar[bool] = False

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class MailUnavailable(MailError):
    """The mail server is down, busy or asks us to come back (4xx)."""

    temporary: ClassVar[bool] = True


class MailUnknown(MailError):
    """The connection ended between the text and the server's answer."""

    may_have_acted: ClassVar[bool] = True
    temporary: ClassVar[bool] = True


class AddressRefused(MailError):
    """The server knows that nobody reads this address (5xx for the recipient)."""


class MailRefused(MailError):
    """The server will never take this mail as it is (5xx)."""


class Mail(Protocol):
    """A mail server."""

    def send(self, *, to: str, subject: str, text: str, message_id: str) -> None:
        """Hand one mail over; MailError otherwise.

        `message_id` is ours, without angle brackets and domain: the same mail again has the same one.
        """
        ...
