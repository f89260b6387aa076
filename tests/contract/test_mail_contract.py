"""What the mail door promises, kept by the real SMTP adapter over real sockets."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from notifications.double.process import running
from notifications.mail import AddressRefused, MailError, MailRefused, MailUnavailable, MailUnknown
from notifications.smtp_mail import SmtpMail, SmtpServer

SENDER = "Glovebox <hello@glovebox.example>"
TEXT = "Ton code est 123456\u202f!\n.\nDie Größe stimmt."


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with running(tmp_path_factory.mktemp("mail")) as ready:
        yield ready


@pytest.fixture(autouse=True)
def _fresh(double: dict[str, Any]) -> None:
    requests.post(f"{double['control']}/reset", timeout=5).raise_for_status()


def server(double: dict[str, Any], **other: Any) -> SmtpServer:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": double["smtp"]["port"],
        "sender": SENDER,
        "ca_file": double["ca_file"],
        "timeout": 5,
    }
    return SmtpServer(**settings | other)


@pytest.fixture
def mail(double: dict[str, Any]) -> SmtpMail:
    return SmtpMail(server(double), real_time=lambda: 1_800_000_000.0)


def send(mail: SmtpMail, **other: str) -> None:
    words = {"to": "max@example.org", "subject": "Ton code", "text": TEXT, "message_id": "msg_1"}
    mail.send(**words | other)


def mails(double: dict[str, Any], to: str = "max@example.org") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(
        f"{double['control']}/mails", params={"to": to}, timeout=5
    ).json()["mails"]
    return found


def fault(double: dict[str, Any], **order: object) -> None:
    requests.post(f"{double['control']}/smtp_fault", json=order, timeout=5).raise_for_status()


def test_a_mail_arrives_as_it_was_written(mail: SmtpMail, double: dict[str, Any]) -> None:
    send(mail, subject="Größe\u202f: é")
    [arrived] = mails(double)
    assert arrived["subject"] == "Größe\u202f: é"
    assert arrived["text"].replace("\r\n", "\n") == TEXT + "\n"
    assert arrived["sender"] == "hello@glovebox.example"
    assert arrived["headers"]["From"] == SENDER
    assert arrived["headers"]["Date"] == "Fri, 15 Jan 2027 08:00:00 +0000"
    assert arrived["headers"]["Auto-Submitted"] == "auto-generated"
    assert arrived["encrypted"]


def test_the_same_mail_again_has_the_same_message_id(mail: SmtpMail, double: dict[str, Any]) -> None:
    send(mail)
    send(mail)
    assert [one["message_id"] for one in mails(double)] == ["<msg_1@glovebox.example>"] * 2


def test_it_signs_in_where_told_to(double: dict[str, Any]) -> None:
    send(SmtpMail(server(double, user="glovebox", password="right")))
    assert mails(double)[0]["signed_in"]


def test_a_wrong_password_is_refused_and_not_retried(double: dict[str, Any]) -> None:
    with pytest.raises(MailRefused) as caught:
        send(SmtpMail(server(double, user="glovebox", password="wrong")))
    assert caught.value.code == 535


def test_a_password_never_goes_out_in_the_clear(double: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="STARTTLS"):
        SmtpMail(server(double, user="glovebox", password="right", starttls=False))
    assert "right" not in repr(server(double, password="right"))


def test_a_plain_line_works_where_told_to(double: dict[str, Any]) -> None:
    send(SmtpMail(server(double, starttls=False)))
    assert not mails(double)[0]["encrypted"]


def test_a_server_with_a_strangers_certificate_gets_nothing(double: dict[str, Any]) -> None:
    with pytest.raises(MailRefused):
        send(SmtpMail(server(double, ca_file=None)))
    assert mails(double) == []


@pytest.mark.parametrize(
    ("answer", "raised", "code"),
    [
        ("busy", MailUnavailable, 451),
        ("greylisted", MailUnavailable, 450),
        ("unknown_recipient", AddressRefused, 550),
        ("refused", MailRefused, 554),
    ],
)
def test_each_answer_says_what_to_do_next(
    mail: SmtpMail, double: dict[str, Any], answer: str, raised: type[MailError], code: int
) -> None:
    fault(double, answer=answer, to="max@example.org")
    with pytest.raises(raised) as caught:
        send(mail)
    assert type(caught.value) is raised
    assert caught.value.code == code
    assert caught.value.temporary is (code < 500)
    assert not caught.value.may_have_acted
    assert mails(double) == []
    send(mail)
    assert len(mails(double)) == 1


def test_a_line_that_breaks_after_the_text_may_have_delivered_it(
    mail: SmtpMail, double: dict[str, Any]
) -> None:
    fault(double, answer="lost")
    with pytest.raises(MailUnknown) as caught:
        send(mail)
    assert caught.value.temporary
    assert caught.value.may_have_acted
    assert len(mails(double)) == 1


def test_no_server_at_all_is_temporary() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
    with pytest.raises(MailUnavailable):
        send(SmtpMail(SmtpServer("127.0.0.1", closed, SENDER, timeout=2)))


@pytest.mark.parametrize(
    "header",
    [
        {"subject": "Hello\r\nBcc: all@example.org"},
        {"subject": "Hello\nBcc: all@example.org"},
        {"subject": "Hello\u2028there"},
        {"message_id": "msg_1>\r\nBcc: all@example.org"},
    ],
)
def test_a_line_break_in_a_header_is_refused(
    mail: SmtpMail, double: dict[str, Any], header: dict[str, str]
) -> None:
    with pytest.raises(MailRefused):
        send(mail, **header)
    assert mails(double) == []


@pytest.mark.parametrize(
    "address",
    [
        "max@example.org\r\nRCPT TO:<all@example.org>",
        "max@example.org, all@example.org",
        "Max <max@example.org>",
        "max",
        "@example.org",
        "max@",
        "mäx@example.org",
        "max@exa mple.org",
        "max@" + "a" * 70 + ".org",
        "",
    ],
)
def test_what_is_not_one_address_is_refused(mail: SmtpMail, address: str) -> None:
    with pytest.raises(AddressRefused):
        send(mail, to=address)


def test_a_domain_with_an_umlaut_is_reached(mail: SmtpMail, double: dict[str, Any]) -> None:
    send(mail, to="max@müller.example")
    assert len(mails(double, "max@xn--mller-kva.example")) == 1
