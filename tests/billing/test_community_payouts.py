"""A community that earns: its owners open its account, owners and managers read its books, nobody else knows of any."""

from datetime import timedelta
from typing import Any

import pytest

from app.billing import tax_report, transfer
from app.billing.payout_models import BankPayout
from app.billing.tax_models import CommunityTaxDetails
from app.communities import accept, invite, leave
from app.communities.models import Membership
from app.kit import clock
from app.kit.db import release, session
from tests import factories
from tests.billing.desk import Desk, this_month
from tests.communities.circle import Circle, Voice, voice

SHARE = {"amount": 6000, "currency": "EUR"}
"""The community's of 8000."""
TOLD: dict[str, Any] = {
    "legal_name": "Autos du Canal, association",
    "address": "1 quai de Valmy, Paris",
    "country": "FR",
    "registration_number": "W751234567",
    "tin": "12 34 567 890",
    "tin_country": "FR",
    "vat_number": "FR40303265045",
    "iban": "FR76 3000 6000 0112 3456 7890 189",
}
NOTHING = dict.fromkeys(TOLD)


@pytest.fixture
def circle(desk: Desk) -> Circle:
    """Olga's community, which earns from now on."""
    olga, max_, charlie = (voice(desk.app, name) for name in ("Olga Owner", "Max Member", "Charlie Stranger"))
    made = factories.circle(olga.person, max_.person)
    desk.payee = made.id
    release()
    return Circle(made.id, olga, max_, charlie)


@pytest.fixture
def at(circle: Circle) -> str:
    return f"/communities/{circle.id}"


def become(circle: Circle, who: Voice, **values: Any) -> None:
    row = session.query(Membership).filter_by(community_id=circle.id, person_id=who.id, ended_at=None).one()
    for name, value in values.items():
        setattr(row, name, value)
    session.commit()
    release()


def open_account(desk: Desk, circle: Circle, at: str) -> str:
    """Olga opens it and says who stands behind the community; the provider's id."""
    circle.olga("POST", f"{at}/payout-account", want=200)
    [account] = [one for one in _accounts(desk) if one["metadata"].get("community") == circle.id]
    desk.double.post("accounts/settle", account=account["id"], state="enabled")
    assert desk.tell("account.updated", account["id"]) == []
    return str(account["id"])


def _accounts(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.there("account")
    return found


def test_a_community_is_not_ended_while_it_waits_for_what_it_earned(
    desk: Desk, circle: Circle, at: str
) -> None:
    rental = desk.captured()
    refused = circle.olga.answer("DELETE", at).get_json()
    assert (refused["status"], refused["by"]) == (409, ["earnings of 6000 EUR in minor units"])
    open_account(desk, circle, at)
    assert desk.pay_out(rental) == []
    circle.olga("DELETE", at, want=204)


def test_an_owner_opens_the_account_once_and_each_link_is_a_fresh_one(
    desk: Desk, circle: Circle, at: str
) -> None:
    assert circle.olga("GET", f"{at}/payout-account", want=200)["state"] == "none"
    links = [circle.olga("POST", f"{at}/payout-account", want=200) for _ in range(2)]
    assert links[0]["url"] != links[1]["url"]
    assert (links[0]["state"], bool(links[0]["missing"])) == ("incomplete", True)
    assert len([one for one in _accounts(desk) if one["metadata"].get("community") == circle.id]) == 1
    assert circle.olga("GET", f"{at}/payout-account", want=200)["url"] is None
    assert circle.olga("GET", "/me/payouts/account", want=200)["state"] == "none"


def test_what_it_earns_waits_its_owners_are_told_and_it_is_paid_once_the_account_is_enabled(
    desk: Desk, circle: Circle, at: str
) -> None:
    rental = desk.captured()
    assert desk.pay_out(rental) == []
    assert desk.transfer(rental).state == "payable_blocked"
    assert desk.facts(rental).count("PayoutBlocked") == 1
    assert circle.olga("GET", f"{at}/payout-account", want=200)["waiting"] == [SHARE]
    external = open_account(desk, circle, at)
    desk.due(desk.transfer(rental).id)
    assert desk.jobs() == []
    assert (desk.transfer(rental).state, desk.owes(circle.id)) == ("settled", 0)
    [sent] = [one for one in desk.there("transfer") if one["metadata"]["rental"] == rental]
    assert (sent["amount"], sent["destination"]) == (6000, external)
    assert circle.olga("GET", f"{at}/payout-account", want=200) == {
        "state": "enabled",
        "missing": [],
        "url": None,
        "waiting": [],
    }


def test_owners_and_managers_read_what_it_was_paid_and_its_month(desk: Desk, circle: Circle, at: str) -> None:
    open_account(desk, circle, at)
    rental = desk.captured()
    assert desk.pay_out(rental) == []
    become(circle, circle.max, role="manager")
    for reader in (circle.olga, circle.max):
        [paid] = reader("GET", f"{at}/payouts", want=200)["items"]
        assert (paid["rental"], paid["state"], paid["sent"]) == (rental, "settled", SHARE)
        month = f"{at}/statements/{this_month()}"
        [balance] = reader("GET", month, want=200)["balances"]
        assert (balance["paid_out"]["amount"], balance["closing"]["amount"]) == (-6000, 0)
        assert reader("GET", month)["payments"] == []
        for form in ("text/csv", "application/pdf"):
            assert reader.answer("GET", month, Accept=form).content_type.startswith(form)
    assert circle.max("GET", f"{at}/payout-account", want=404) == "not-found"


PATHS = ("payout-account", "payouts", "statements/2026-11", "tax-details")


def test_for_everybody_else_there_is_nothing(desk: Desk, circle: Circle, at: str) -> None:
    """A driver of the community, a stranger, an owner who is blocked, and one who has left."""
    second = voice(desk.app, "Nina Next")
    invitation = invite.invite(circle.olga.id, circle.id, {"email": second.person.email})
    accept.accept(second.id, invite.code_of(invitation.id))
    become(circle, second, role="owner")
    assert second("GET", f"{at}/payout-account", want=200)["state"] == "none"
    become(circle, second, blocked=True)
    for who in (circle.max, circle.charlie, second):
        for path in PATHS:
            assert who("GET", f"{at}/{path}", want=404) == "not-found"
        assert who("POST", f"{at}/payout-account", want=404) == "not-found"
        assert who("PUT", f"{at}/tax-details", NOTHING, want=404) == "not-found"
    become(circle, second, blocked=False)
    leave.leave(second.id, circle.id, second.id)
    release()
    assert second("GET", f"{at}/payout-account", want=404) == "not-found"


def test_who_is_owner_no_longer_sees_the_account_no_longer(circle: Circle, desk: Desk, at: str) -> None:
    become(circle, circle.max, role="owner")
    assert circle.max("POST", f"{at}/payout-account", want=200)["url"]
    become(circle, circle.max, role="driver")
    for path in PATHS:
        assert circle.max("GET", f"{at}/{path}", want=404) == "not-found"
    assert circle.olga("GET", f"{at}/payout-account", want=200)["state"] == "incomplete"


def test_what_the_provider_asks_later_and_a_bank_that_refuses_are_news_of_the_community(
    desk: Desk, circle: Circle, at: str
) -> None:
    external = open_account(desk, circle, at)
    assert desk.pay_out(desk.captured()) == []
    desk.double.post("accounts/settle", account=external, state="restricted")
    assert desk.tell("account.updated", external) == []
    assert circle.olga("GET", f"{at}/payout-account", want=200)["state"] == "restricted"
    desk.double.post("accounts/settle", account=external, state="enabled")
    payout = str(desk.double.post("payouts/make", account=external)["id"])
    desk.double.post("payouts/fail", payout=payout)
    assert desk.tell("payout.failed", payout) == []
    row = session.get_one(BankPayout, payout)
    assert (row.community_id, row.person_id, row.state) == (circle.id, None, "failed")


def test_two_communities_have_their_own_accounts(desk: Desk, circle: Circle, at: str) -> None:
    open_account(desk, circle, at)
    other = factories.circle(circle.olga.person).id
    release()
    assert circle.olga("GET", f"/communities/{other}/payout-account", want=200)["state"] == "none"


def test_an_organisations_details_are_sealed_shown_masked_and_go_into_the_report(
    desk: Desk, circle: Circle, at: str
) -> None:
    path = f"{at}/tax-details"
    assert circle.olga("GET", path, want=200)["missing"] == [
        *("legal_name", "address", "country", "registration_number", "tin")
    ]
    shown = circle.olga("PUT", path, TOLD, want=200)
    assert (shown["tin"], shown["iban"], shown["missing"]) == ("********890", "********189", [])
    again = {name: shown[name] for name in TOLD}
    assert circle.olga("PUT", path, {**again, "legal_name": "Autos", "vat_number": None}, want=200)[
        "tin"
    ] == ("********890")
    row = session.get_one(CommunityTaxDetails, circle.id)
    assert row.tin_sealed is not None
    assert b"567" not in row.tin_sealed
    assert circle.olga("PUT", path, {**TOLD, "iban": "FR7630006000011234567890188"}, want=422)
    desk.captured()
    release()
    [mine] = [one for one in tax_report.of(clock.now().year)["owners"] if one["owner"] == circle.id]
    assert (mine["name"], mine["registration_number"], mine["tin"]) == (
        *("Autos", "W751234567"),
        "12 34 567 890",
    )
    assert mine["missing"] == []
    assert "W751234567" in tax_report.csv(tax_report.of(clock.now().year))


def test_the_account_is_made_in_the_country_that_the_owners_told(desk: Desk, circle: Circle, at: str) -> None:
    circle.olga("PUT", f"{at}/tax-details", {**NOTHING, "country": "DE"}, want=200)
    open_account(desk, circle, at)
    assert [one["country"] for one in _accounts(desk) if one["metadata"].get("community") == circle.id] == [
        "DE"
    ]


def test_a_community_waits_the_longest(desk: Desk, circle: Circle) -> None:
    rental = desk.captured()
    assert desk.transfer(rental).due_at > clock.now() + timedelta(hours=transfer.LONGEST_HOURS - 1)
