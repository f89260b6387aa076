from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.billing import cards, hold, means, routes
from app.billing.models import Card
from app.kit.db import new_id, release, session
from app.kit.errors import InUse, NotFound
from app.people.models import Person
from payments.gateway import PaymentsRefused
from tests import factories
from tests.billing.desk import ALWAYS_3DS, POOR, VISA, Desk, eur


class Phone:
    """Somebody signed in over HTTP."""

    def __init__(self, desk: Desk, person: Person) -> None:
        self.client: FlaskClient = desk.app.test_client()
        body = {
            "email": person.email,
            "password": "correct horse battery",
            "installation": "0b5e0c0a-6d3e-4c3f-8f39-3f6c1f2f0a11",
        }
        answer = self.client.post("/v1/sessions", json=body)
        assert answer.status_code in (200, 201), answer.get_json()
        self.headers = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}

    def ask(self, method: str, path: str, key: str | None = None, **more: Any) -> Any:
        release()
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        return self.client.open("/v1" + path, method=method, headers=headers, **more)


def test_a_card_is_saved_by_app_and_webhook(desk: Desk) -> None:
    max_ = factories.person("Max Member")
    phone = Phone(desk, max_)
    answer = phone.ask("POST", "/me/cards", key="first-card")
    assert answer.status_code == 201
    begun = answer.get_json()
    assert answer.headers["Location"] == f"/v1/me/cards/{begun['id']}"
    assert cards.usable(max_.id, None) is None
    assert phone.ask("GET", "/me/cards").get_json()["items"][0]["state"] == "pending"
    desk.double.post("setup_intents/confirm", client_secret=begun["client_secret"], card=VISA)
    setup = begun["client_secret"].split("_secret_")[0]
    event = next(
        e
        for e in desk.events()
        if e["type"] == "setup_intent.succeeded" and e["data"]["object"]["id"] == setup
    )
    assert desk.deliver(event).status_code == 200
    assert desk.jobs() == []
    (shown,) = phone.ask("GET", "/me/cards").get_json()["items"]
    assert (shown["state"], shown["brand"], shown["last4"]) == ("saved", "visa", "4242")
    assert cards.usable(max_.id, None) == begun["id"]
    assert cards.usable(max_.id, begun["id"]) == begun["id"]


def test_without_a_webhook_looking_at_ones_cards_has_the_setup_read(desk: Desk) -> None:
    max_ = factories.person("Max Member")
    phone = Phone(desk, max_)
    begun = phone.ask("POST", "/me/cards", key="first-card").get_json()
    desk.double.post("setup_intents/confirm", client_secret=begun["client_secret"], card=VISA)
    phone.ask("GET", "/me/cards")
    assert desk.jobs() == []
    assert phone.ask("GET", "/me/cards").get_json()["items"][0]["state"] == "saved"


def test_the_same_key_is_one_card_and_one_setup(desk: Desk) -> None:
    phone = Phone(desk, factories.person("Max Member"))
    before = len(desk.there("setup_intent"))
    first = phone.ask("POST", "/me/cards", key="the-same-key").get_json()
    again = phone.ask("POST", "/me/cards", key="the-same-key")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json() == first
    assert len(desk.there("setup_intent")) == before + 1
    assert phone.ask("POST", "/me/cards").status_code == 400


def test_a_provider_that_does_not_answer_is_503_and_the_repeat_goes_on(desk: Desk) -> None:
    phone = Phone(desk, factories.person("Max Member"))
    before = len(desk.there("setup_intent"))
    desk.double.post("fault", next="drop_after_commit", path="/v1/setup_intents")
    assert phone.ask("POST", "/me/cards", key="lost-answer").status_code == 503
    answer = phone.ask("POST", "/me/cards", key="lost-answer")
    assert answer.status_code == 201
    assert answer.get_json()["client_secret"]
    assert len(desk.there("setup_intent")) == before + 1
    assert len(phone.ask("GET", "/me/cards").get_json()["items"]) == 1


def test_a_changed_address_after_a_lost_answer_asks_for_the_same_customer(desk: Desk) -> None:
    person = factories.person("Max Member")
    phone = Phone(desk, person)
    desk.double.post("fault", next="drop_after_commit", path="/v1/customers")
    assert phone.ask("POST", "/me/cards", key="lost-customer").status_code == 503
    session.get_one(Person, person.id).email = f"new.{person.email}"
    session.commit()
    assert phone.ask("POST", "/me/cards", key="lost-customer").status_code == 201
    customers = desk.there("customer")
    assert [one["metadata"]["person"] for one in customers].count(person.id) == 1


def test_a_card_in_use_stays_and_one_that_is_free_is_forgotten_there_too(desk: Desk) -> None:
    who = desk.driver()
    rental = desk.held(9000, who=who)
    with pytest.raises(InUse):
        cards.remove(who[0].id, who[1])
    desk.end(rental, 5000)
    with pytest.raises(NotFound):
        cards.remove(factories.person("Charlie Stranger").id, who[1])
    cards.remove(who[0].id, who[1])
    assert desk.jobs() == []
    assert cards.usable(who[0].id, None) is None
    external = session.get_one(Card, who[1]).external_id
    method = next(m for m in desk.there("payment_method") if m["id"] == external)
    assert method["customer"] is None


def test_only_ones_own_saved_valid_cards_are_usable(desk: Desk) -> None:
    max_, card = desk.driver()
    charlie, _ = desk.driver()
    assert cards.usable(charlie.id, card) is None
    assert cards.usable(max_.id, new_id("crd")) is None
    row = session.get_one(Card, card)
    row.exp_year = 2020
    session.commit()
    assert cards.usable(max_.id, card) is None
    assert cards.shown(row)["state"] == "expired"


def test_a_setup_that_nobody_confirms_is_given_up_after_a_day(desk: Desk) -> None:
    max_ = factories.person("Max Member")
    row = cards.begin(max_.id)
    cards.setup(row.id)
    desk.forward(timedelta(hours=25))
    cards.card_setup(row.id)
    assert list(cards.mine(max_.id)) == []


def test_parties_see_payments_and_only_the_driver_what_to_confirm(desk: Desk) -> None:
    who = desk.driver(ALWAYS_3DS)
    rental = desk.plan(who=who, on_session=True)
    desk.jobs()
    olga, charlie = factories.person(), factories.person("Charlie Stranger")
    max_ = session.merge(who[0])
    driver = max_.id
    roles = {driver: "driver", olga.id: "owner"}

    def may_see(asked: str, person: str) -> str:
        if asked != rental or person not in roles:
            raise NotFound
        return roles[person]

    routes.MAY_SEE_RENTAL.append(may_see)
    path = f"/rentals/{rental}/payments"
    phones = {one.name.split()[0]: Phone(desk, one) for one in (max_, olga, charlie)}
    (mine,) = phones["Max"].ask("GET", path).get_json()["items"]
    assert mine["state"] == "action_required"
    assert mine["amount"] == {"amount": 9000, "currency": "EUR"}
    assert "_secret_" in mine["action"]["client_secret"]
    assert mine["action"]["expires_at"] is not None
    (hers,) = phones["Olga"].ask("GET", path).get_json()["items"]
    assert hers["action"] is None
    assert phones["Charlie"].ask("GET", path).status_code == 404
    assert phones["Olga"].ask("POST", path + "/retry", key="not-hers-to", json={}).status_code == 403
    good = desk.save_card(driver, VISA)
    answer = phones["Max"].ask("POST", path + "/retry", key="another-card", json={"card": good})
    assert (answer.status_code, answer.get_json()["state"]) == (202, "holding")
    assert desk.jobs() == []
    assert desk.standing(rental) == "held"
    assert phones["Max"].ask("POST", path + "/retry", key="once-more-1", json={}).status_code == 409


def test_the_driver_pays_arrears_with_another_card(desk: Desk) -> None:
    who = desk.driver(POOR)
    rental = desk.plan(who=who)
    desk.jobs()
    desk.end(rental, 5000)
    assert means.arrears(who[0].id) == eur(5000)
    good = desk.save_card(who[0].id, VISA)
    hold.retry(desk.payment(rental).id, good, who[0].id)
    assert desk.jobs() == []
    assert means.arrears(who[0].id) is None


def test_a_statement_over_http_has_its_month_checked(desk: Desk) -> None:
    phone = Phone(desk, factories.person())
    answer = phone.ask("GET", "/me/statements/2027-03")
    empty: dict[str, list[str]] = {name: [] for name in ("balances", "entries", "paid", "payments")}
    assert answer.get_json() == {"month": "2027-03", **empty}
    assert phone.ask("GET", "/me/statements/2027-99").status_code == 404


def test_a_card_whose_reading_was_refused_stays_usable(desk: Desk) -> None:
    driver, card = desk.driver()
    external = str(session.get_one(Card, card).external_id)
    release()
    desk.double.post("fault", next="400", path="/v1/payment_methods")
    with pytest.raises(PaymentsRefused):
        cards.refresh(external)
    assert cards.usable(driver.id, None) == card
