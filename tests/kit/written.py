"""Every text that people may write over HTTP: how it is written, and where it is read again.

A field is named by its operation and its place in the body, as the contract has both.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from app.kit.clock import z
from tests.kit.town import HOUR, PASSWORD, Answer, Town
from tests.kit.writing import (
    Read,
    Row,
    Write,
    among,
    at,
    in_the_access_log,
    logged,
    named_in_the_access_log,
    once,
    put,
    sent,
    take,
)

HOME = {"lat": 48.85, "lon": 2.35}
EUR = {"amount": 100, "currency": "EUR"}

# -- accounts


def registered(pointer: str) -> Write:
    """The account is there once the mailed code has come back."""

    def write(town: Town, text: str) -> Answer:
        body = {
            "name": "Pat",
            "email": town.new_address,
            "password": PASSWORD,
            "language": "en",
            "country": "FR",
        }
        body = put(body, pointer, text)
        answer = town.ask("", "POST", "/people", body)
        if answer.status_code == 202:
            town.desk.work()
            assert town.desk.confirm(body["email"], town.desk.mailed(body["email"])[-1]) == 204
        town.written = (body["email"], body["password"])
        return answer

    return write


def of_account(pointer: str) -> Read:
    """As its owner reads it, signed in with the password they wrote."""

    def read(town: Town, answer: Answer) -> Any:
        del answer
        token = town.desk.token(town.written[0], password=town.written[1])
        return town.written[1] if pointer == "/password" else take(town.desk.get("/me", token), pointer)

    return read


def password_set(town: Town, text: str) -> Answer:
    """Pat's password is the text from now on, unless it is refused."""
    town.written = (town.pats_address, text)
    return town.ask("pat", "PUT", "/me/password", {"password": text})


def signed_in(town: Town, text: str) -> Answer:
    password_set(town, text)
    body = {"email": town.pats_address, "password": text, "installation": town.new_installation}
    return town.ask("", "POST", "/sessions", body)


def confirmed(town: Town, text: str) -> Answer:
    password_set(town, text)
    return town.ask("pat", "POST", "/sessions/current/confirm", {"password": text})


def reset(town: Town, text: str) -> Answer:
    """By the code that was mailed."""
    email = town.pats_address
    town.ask("", "POST", "/email-codes", {"email": email, "purpose": "reset"})
    town.desk.work()
    town.written = (email, text)
    body = {"email": email, "code": town.desk.mailed(email, "reset")[-1], "password": text}
    return town.ask("", "POST", "/password-resets", body)


def itself(town: Town, answer: Answer) -> Any:
    """It opened, and so it was the same."""
    del answer
    return town.written[1]


def number_ends(town: Town) -> bool:
    """A licence's number is shown by its end alone."""
    shown: str = town.get("charlie", "/me/licence")["number"]
    return shown == "*" * 8 + town.text[-3:]


PHONE = "/me/phones/{phone}"
ADDRESS = {"kind": "fid", "address": "abc", "keys": {"p256dh": "abc", "auth": "abc"}}
ACCOUNTS = {
    **{f"register_person {one}": Row(registered(one), of_account(one)) for one in ("/name", "/address", "/password")},
    "sign_in_person /password": Row(signed_in, itself),
    "confirm_password /password": Row(confirmed, itself),
    "change_password /password": Row(password_set, of_account("/password")),
    "reset_password /password": Row(reset, of_account("/password")),
    **{f"change_me {one}": Row(sent("max", "PATCH", "/me", one), at("max", "/me", one)) for one in ("/name", "/address")},
    "record_licence /number": Row(
        sent(
            "charlie", "POST", "/me/licence", "/number", country="FR", classes=["B"], birth_date="1990-04-02",
            issued_on="2010-05-01", expires_on="2090-05-01",
        ),
        lambda town, _: town.text if number_ends(town) else None,
    ),
    **{
        f"add_phone {one}": Row(
            sent(
                "charlie", "POST", "/me/phones", one, installation=lambda town: town.new_installation, platform="ios",
                push=ADDRESS,
            ),
            once(at("charlie", "/me/phones/{id}", one), "charlie", "/me/phones/{id}"),
        )
        for one in ("/push/address", "/push/keys/p256dh", "/push/keys/auth")
    },
    **{
        f"change_phone {one}": Row(sent("charlie", "PATCH", PHONE, one, push=ADDRESS), at("charlie", PHONE, one))
        for one in ("/push/address", "/push/keys/p256dh", "/push/keys/auth")
    },
}  # fmt: skip

# -- communities and cars

CIRCLE, CAR = "/communities/{community}", "/cars/{car}"
A_CAR: dict[str, Any] = {
    "plate": lambda town: town.new_plate,
    "vin": lambda town: town.new_vin,
    "make": "smart",
    "model": "EQ fortwo",
    "powertrain": "electric",
    "seats": 2,
    "country": "FR",
    "time_zone": "Europe/Paris",
    "home": HOME,
}
ON_CARS = ("/plate", "/make", "/model", "/home/label", "/note")
CARS = {
    "make_community /name": Row(
        sent("charlie", "POST", "/communities", "/name", kind="circle"), at("charlie", "/communities/{id}", "name")
    ),
    "change_community /name": Row(sent("olga", "PATCH", CIRCLE, "/name"), at("max", CIRCLE, "name")),
    "change_member /label": Row(
        sent("olga", "PATCH", CIRCLE + "/members/{max}", "/label"), at("olga", CIRCLE + "/members/{max}", "label")
    ),
    "make_invitation /label": Row(
        sent("olga", "POST", CIRCLE + "/invitations", "/label"),
        once(
            among("olga", CIRCLE + "/invitations", "label"), "olga", "/invitations/{id}"
        ),
    ),
    **{f"add_car {one}": Row(sent("olga", "POST", "/cars", one, **A_CAR), at("olga", "/cars/{id}", one)) for one in ON_CARS},
    **{
        f"change_car {one}": Row(
            sent("olga", "PATCH", CAR, one, **({"home": HOME} if "home" in one else {})),
            at("olga", CAR, one),
            surely=" Ae\u0308  \U0001f600<b>1",
        )
        for one in ON_CARS
    },
    "add_calendar_import /name": Row(
        sent("olga", "POST", CAR + "/calendar-imports", "/name", url="https://calendar.example.org/olga.ics"),
        once(among("olga", CAR + "/calendar-imports", "name"), "olga", CAR + "/calendar-imports/{id}"),
    ),
    "add_block /note": Row(
        sent(
            "olga", "POST", CAR + "/blocks", "/note", from_=lambda town: z(town.next_year),
            to=lambda town: z(town.next_year + HOUR), kind="own_use",
        ),
        once(among("olga", CAR + "/blocks", "note"), "olga", CAR + "/blocks/{id}"),
    ),
    "change_block /note": Row(
        sent("olga", "PATCH", CAR + "/blocks/{new_block}", "/note"),
        once(among("olga", CAR + "/blocks", "note"), "olga", CAR + "/blocks/{id}"),
    ),
    "put_terms /note": Row(
        sent("olga", "PUT", CAR + CIRCLE + "/terms", "/note", currency="EUR"),
        at("max", CAR + CIRCLE + "/terms/{version}", "note"),
    ),
}  # fmt: skip

# -- rentals and what comes after them


RENTAL, ASKED = "/rentals/{rental}", "/rentals/{rental}/charge-requests"
REQUEST = "/charge-requests/{id}"
DOCUMENT = {"kind": "fine", "amount": EUR, "text": "A fine.", "document": {"reference": "F-1", "amount": EUR}}


def happened(town: Town) -> str:
    return town.happened


RENTALS = {
    "book_rental /note": Row(
        sent(
            "max", "POST", "/rentals", "/note", quote=lambda town: town.new_quote,
            accept=lambda town: town.conditions,
        ),
        at("olga", "/rentals/{id}", "note"),
    ),
    "cancel_rental /reason": Row(
        sent("max", "POST", "/rentals/{new_booking}/cancel", "/reason"), logged("RentalCancelled", "reason")
    ),
    "report_damage /text": Row(
        sent("olga", "POST", CAR + "/damages", "/text", part="front", unsafe=False),
        among("max", CAR + "/damages", "text"),
    ),
    "add_note /text": Row(sent("max", "POST", RENTAL + "/notes", "/text"), among("olga", RENTAL + "/notes", "text")),
    "add_review /text": Row(
        sent("max", "POST", "/rentals/{new_ended}/reviews", "/text", stars=5),
        among("olga", "/rentals/{over}/reviews", "text"),
    ),
    "upload_receipts /receipts/*": Row(
        sent("max", "POST", "/me/offline-receipts", "/receipts/*"), None, "only what a box has signed is kept"
    ),
    "upload_box_records /records/*": Row(
        sent("", "POST", "/box-records", "/records/*"), None, "only what a box has signed is kept"
    ),
    "make_charge_request /text": Row(
        sent("olga", "POST", ASKED, "/text", kind="other", amount=EUR, occurred_at=happened), at("max", REQUEST, "text")
    ),
    "make_charge_request /document/reference": Row(
        sent("olga", "POST", ASKED, "/document/reference", occurred_at=happened, **DOCUMENT),
        at("max", REQUEST, "document/reference"),
    ),
    "answer_charge_request /text": Row(
        sent("max", "POST", "/charge-requests/{new_charge_request}/answer", "/text", accept=False),
        at("olga", REQUEST, "answer/text"),
    ),
    "appeal_charge_request /text": Row(
        sent("max", "POST", "/charge-requests/{decided}/appeal", "/text"), at("olga", REQUEST, "appeal/text")
    ),
    "put_tax_details /birth_place": Row(
        sent("olga", "PUT", "/me/tax-details", "/birth_place", tin=None, tin_country=None, vat_number=None, iban=None),
        at("olga", "/me/tax-details", "birth_place"),
    ),
    **{
        f"put_community_tax_details {one}": Row(
            sent(
                "olga", "PUT", CIRCLE + "/tax-details", one, legal_name=None, address=None, country="FR",
                registration_number=None, tin=None, tin_country=None, vat_number=None, iban=None,
            ),
            at("olga", CIRCLE + "/tax-details", one),
        )
        for one in ("/legal_name", "/address", "/registration_number")
    },
}  # fmt: skip

# -- insurers

PRE_CHECK: dict[str, Any] = {
    "country": "FR",
    "driver": {
        "birth_date": "1990-01-01",
        "licence_classes": ["B"],
        "licence_issued_on": "2010-01-01",
        "licence_expires_on": "2060-01-01",
        "cleared_by": "owner",
        "accepted": [],
    },
    "car": {
        "powertrain": "electric",
        "time_zone": "Europe/Paris",
        "declared_value": EUR,
        "has_immobiliser": True,
        "inspection_until": "2060-01-01",
    },
    "span": lambda town: town.span,
}
CLAIM: dict[str, Any] = {"cover": lambda town: town.cover, "occurred_at": happened}
INSURERS = {
    **{
        f"ask_eligibility {one}": Row(
            sent("ines", "POST", "/insurer/eligibility", one, **PRE_CHECK), None, "asked and answered"
        )
        for one in ("/driver/licence_classes/*", "/driver/accepted/*")
    },
    "notify_claim /reference": Row(
        sent("ines", "POST", "/insurer/claims", "/reference", text="A dent.", **CLAIM),
        at("ines", "/insurer/claims/{id}", "reference"),
    ),
    "notify_claim /text": Row(
        sent("ines", "POST", "/insurer/claims", "/text", reference=lambda town: town.new_plate, **CLAIM),
        at("ines", "/insurer/claims/{id}", "text"),
    ),
    "add_webhook /url": Row(
        sent("ines", "POST", "/insurer/webhooks", "/url", events=[]),
        once(among("ines", "/insurer/webhooks", "url"), "ines", "/insurer/webhooks/{id}"),
        surely="https://ines.example.org/a?b=%20%C3%A9",
    ),
    "change_webhook /url": Row(
        sent("ines", "PATCH", "/insurer/webhooks/{webhook}", "/url"),
        among("ines", "/insurer/webhooks", "url"),
        surely="https://ines.example.org/b",
    ),
}

# -- operators


def acted(path: str, pointer: str = "/reason", read: Read = in_the_access_log, **body: Any) -> Row:
    return Row(sent("opal", "POST", "/operator" + path, pointer, **body), read)


def answered(pointer: str) -> Read:
    return lambda _, answer: take(answer.json, pointer)


BANK: dict[str, Any] = {"reason": "tests", "amount": EUR, "reference": lambda town: town.new_plate}
PAYMENTS, PAYOUTS = "/payments/{office.", "/bank/provider-payouts"


def own_amount(town: Town) -> dict[str, Any]:
    """Goes with the text: one that differs in blanks alone, and so is the same reference, is refused for its amount."""
    assert town.office.has_money
    return {"amount": 1 + zlib.crc32(repr(town.text).encode()) % 9999, "currency": "EUR"}


FILLED = {**BANK, "amount": own_amount}
A_CENT = {**BANK, "amount": {"amount": 1, "currency": "EUR"}}


def came_back(town: Town, text: str) -> Answer:
    """A payout under this reference, and then that it came back."""
    paid_out = acted(PAYOUTS, "/reference", **FILLED).write(town, text)
    failed = acted(PAYOUTS + "/failed", "/reference", **FILLED).write(town, text)
    assert paid_out.status_code == failed.status_code
    return failed


KEY = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43, "alg": "ES256", "kid": "key-1"}
A_CLIENT: dict[str, Any] = {"reason": "tests", "label": "tests", "scopes": ["coverage:read"]}
OPERATORS = {
    "clear_licence_of_person /reason": acted("/licences/{judged}/clear"),
    "refuse_licence /reason": acted("/licences/{judged}/refuse"),
    "suspend_person /reason": acted("/people/{let_person}/suspend"),
    "restore_person /reason": acted("/people/{suspended_person}/restore"),
    "hold_person /reason": acted("/people/{free_person}/hold"),
    "lift_hold /reason": acted("/people/{held_person}/lift-hold"),
    "read_identity /reason": acted("/people/{judged}/identity"),
    "set_car_safe /reason": acted("/cars/{other_car}/safe", safe=False),
    "mark_car_stolen /reason": acted("/cars/{other_car}/stolen"),
    "decide_charge_request /reason": Row(
        sent("opal", "POST", "/operator/charge-requests/{contested}/decide", "/reason", amount=EUR),
        at("max", REQUEST, "decision/reason"),
    ),
    "retry_job /reason": acted("/jobs/{new_job}/retry"),
    "dismiss_job /reason": acted("/jobs/{new_job}/dismiss"),
    "rotate_keys /reason": acted("/keys/rotate", purpose="certificates"),
    "add_insurer /reason": acted("/insurers", name=lambda town: town.new_plate),
    "add_insurer /name": acted(
        "/insurers", "/name", among("opal", "/operator/insurers", "name"), reason="tests"
    ),
    **{
        f"add_client {one}": acted(
            "/insurers/{insurer}/clients", one, among("opal", "/operator/insurers/{insurer}/clients", "label")
            if one == "/label" else in_the_access_log, **A_CLIENT,
        )
        for one in ("/reason", "/label")
    },
    **{
        f"add_client /public_keys/*/{one}": Row(
            sent(
                "opal", "POST", "/operator/insurers/{insurer}/clients", f"/public_keys/*/{one}", **A_CLIENT,
                public_keys=[KEY],
            ),
            None,
            "a key is not shown again",
        )
        for one in ("x", "y", "kid")
    },
    "rotate_client /reason": acted("/insurers/{insurer}/clients/{new_client}/rotate"),
    "put_master_policy /reason": Row(
        sent(
            "opal", "PUT", "/operator/master-policies/{new_policy}", "/reason", insurer=lambda town: town.insurer,
            policy=lambda town: town.policy_body, active=False,
        ),
        in_the_access_log,
    ),
    "post_provider_fee /reason": acted("/bank/provider-fees", **BANK),
    "post_provider_fee /reference": acted("/bank/provider-fees", "/reference", named_in_the_access_log, **FILLED),
    "post_insurer_paid /reason": acted("/insurers/{office.owed_insurer}/paid", **BANK),
    "post_insurer_paid /reference": acted(
        "/insurers/{office.owed_insurer}/paid", "/reference", answered("reference"), **BANK
    ),
    "post_vat_paid /reason": acted("/bank/vat-paid", **FILLED),
    "post_vat_paid /reference": acted("/bank/vat-paid", "/reference", named_in_the_access_log, **FILLED),
    "post_provider_payout /reason": acted(PAYOUTS, **FILLED),
    "post_provider_payout /reference": acted(PAYOUTS, "/reference", named_in_the_access_log, **FILLED),
    "post_provider_payout_failed /reason": acted(
        PAYOUTS + "/failed", **{**A_CENT, "reference": lambda town: town.office.new_payout}
    ),
    "post_provider_payout_failed /reference": Row(came_back, named_in_the_access_log),
    "post_refund_by_bank /reason": acted(PAYMENTS + "refused}/refunded-by-bank", **A_CENT),
    "post_refund_by_bank /reference": acted(
        PAYMENTS + "refused}/refunded-by-bank", "/reference", answered("reference"), **A_CENT
    ),
    "retry_payment_as_operator /reason": acted(PAYMENTS + "stuck}/retry"),
    "refund_payment /reason": acted(PAYMENTS + "captured}/refund", amount=1),
    "write_off_payment /reason": acted(PAYMENTS + "owed}/write-off"),
    "lift_bar /reason": acted(PAYMENTS + "written_off}/lift-bar"),
    "charge_owner_of_dispute /reason": acted("/disputes/{office.dispute}/charge-owner"),
    "clear_fraud_warning /reason": acted("/fraud-warnings/{office.warning}/clear"),
    "close_rental_as_operator /reason": acted("/rentals/{office.out}/close"),
    "lift_block /reason": acted("/insurers/{insurer}/blocks/{office.blocked}/lift"),
}  # fmt: skip
GROUPS: Mapping[str, Mapping[str, Row]] = {
    "accounts": ACCOUNTS,
    "cars": CARS,
    "rentals": RENTALS,
    "insurers": INSURERS,
    "operators": OPERATORS,
}
ROWS: Mapping[str, Row] = {name: row for group in GROUPS.values() for name, row in group.items()}
