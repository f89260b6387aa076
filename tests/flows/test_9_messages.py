"""What both are told, in their own language: the phone and the inbox say the same."""

import re
from typing import Any

import pytest

from app.demo_cast import Actor, until
from app.supervisor import Supervisor
from notifications.catalogue import template
from tests.flows.friends import PRICED, Friends

LANGUAGES = ("en", "it", "pt")
TOLD = (
    ("max", "invited"),
    ("olga", "invitation_accepted"),
    ("olga", "rental_asked.owner"),
    ("max", "rental_approved.driver"),
    ("max", "rental_declined.driver"),
    ("max", "rental_cancelled.driver"),
    ("olga", "rental_cancelled.owner"),
    ("max", "rental_about_to_start.driver"),
    ("olga", "rental_about_to_start.owner"),
    ("max", "rental_unlocked.driver"),
    ("olga", "rental_unlocked.owner"),
    ("max", "rental_ended.driver"),
    ("olga", "rental_ended.owner"),
    ("max", "rental_late.driver"),
    ("olga", "rental_late.owner"),
    ("max", "payment_failed.driver"),
    ("max", "payment_done.driver"),
    ("olga", "payment_done.owner"),
    ("olga", "box_offline.owner"),
    ("max", "charge_low"),
    ("olga", "charge_low"),
)


class Stories:
    """One story in three languages at once, on one clock."""

    def __init__(self, place: Supervisor) -> None:
        self.place = place
        self.circles = {
            one: Friends(place, PRICED, approval="always", languages=(one, one)) for one in LANGUAGES
        }
        self.driven: dict[str, str] = {}

    def tell(self) -> "Stories":
        for friends in self.circles.values():
            self.decline_and_cancel(friends)
        self.driven = {one: self.book(friends, 1.5, 2.5) for one, friends in self.circles.items()}
        self.forward("31m")
        self.both("rental_about_to_start")
        self.forward("61m")
        for one, friends in self.circles.items():
            friends.unlock(self.driven[one])
            friends.street.do("battery", percent=15)
            friends.drive(5)
        self.both("rental_unlocked")
        self.forward("60m")
        for one, friends in self.circles.items():
            self.told(friends.max, "rental_late.driver")
            self.told(friends.max, "charge_low")
            self.told(friends.olga, "charge_low")
            friends.lock(self.driven[one])
            friends.street.vanish()
        self.both("rental_ended")
        self.place.flask("clock", "forward", "26m")
        return self

    def forward(self, span: str) -> None:
        self.place.flask("clock", "forward", span)
        for friends in self.circles.values():
            friends.wake()

    def both(self, kind: str) -> None:
        """Driver and owner have heard of it, before the clock moves on."""
        for friends in self.circles.values():
            self.told(friends.max, f"{kind}.driver")
            self.told(friends.olga, f"{kind}.owner")

    @staticmethod
    def book(friends: Friends, begins: float, ends: float) -> str:
        rental = friends.book(begins, ends)
        friends.olga.post(f"/rentals/{rental}/approve", want=200)
        return rental

    def decline_and_cancel(self, friends: Friends) -> None:
        friends.max.save_card("4000000000009995")
        friends.olga.post(f"/rentals/{friends.book(2, 3)}/decline", want=200)
        rental = self.book(friends, 4, 5)
        friends.payment(rental, "hold_failed")
        card = friends.max.save_card()
        friends.max.post(f"/rentals/{rental}/payments/retry", {"card": card}, want=202)
        friends.payment(rental, "held")
        friends.max.post(f"/rentals/{rental}/cancel", {"reason": "rain"}, want=200)

    def told(self, who: Actor, kind: str) -> Any:
        """The newest push of a kind to a phone."""

        def look() -> Any:
            found = [one["message"] for one in who.pushes() if one["message"]["data"]["kind"] == kind]
            return found[-1] if found else None

        return until(look, f"push {kind} to {who.name}", 30)


@pytest.fixture(scope="module")
def stories(place: Supervisor) -> Stories:
    return Stories(place).tell()


def pattern(sentence: str) -> str:
    """A sentence of the catalogue with its gaps open."""
    return "(?s)" + ".+".join(re.escape(part) for part in re.split(r"\{\w+\}", sentence))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("who", "kind"), TOLD)
def test_each_is_told_on_the_phone_in_their_language(
    stories: Stories, language: str, who: str, kind: str
) -> None:
    words = template(kind, language)
    note = stories.told(getattr(stories.circles[language], who), kind)["notification"]
    assert re.fullmatch(pattern(words.title), note["title"])
    assert re.fullmatch(pattern(words.body), note["body"])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("who", ["max", "olga"])
def test_the_inbox_keeps_what_the_phone_was_told(stories: Stories, language: str, who: str) -> None:
    reader: Actor = getattr(stories.circles[language], who)
    wanted = {kind for person, kind in TOLD if person == who}
    for kind in wanted:
        stories.told(reader, kind)
    items = reader.get("/me/messages", limit=100)["items"]
    assert wanted <= {one["kind"] for one in items}
    note = stories.told(reader, "payment_done.driver" if who == "max" else "payment_done.owner")[
        "notification"
    ]
    assert note["title"] in [one["title"] for one in items]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("who", ["max", "olga"])
def test_the_end_is_told_with_its_price(stories: Stories, language: str, who: str) -> None:
    friends = stories.circles[language]
    total = friends.rental(stories.driven[language])["final_price"]["total"]["amount"]
    kind = "rental_ended.driver" if who == "max" else "rental_ended.owner"
    body = stories.told(getattr(friends, who), kind)["notification"]["body"]
    assert re.search(rf"\b{total // 100}[.,]{total % 100:02d}\b", body)
    assert "€" in body


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unread_message_is_marked_as_read(stories: Stories, language: str) -> None:
    olga = stories.circles[language].olga
    first = olga.get("/me/messages", unread="true")["items"][0]
    olga.post(f"/me/messages/{first['id']}/read", want=204)
    assert first["id"] not in [one["id"] for one in olga.get("/me/messages", unread="true")["items"]]


def test_each_is_told_a_thing_once(stories: Stories) -> None:
    for friends in stories.circles.values():
        for who in (friends.max, friends.olga):
            seen = [
                (
                    one["message"]["data"]["kind"],
                    one["message"]["data"].get("rental"),
                    one["message"]["notification"]["body"],
                )
                for one in who.pushes()
            ]
            assert len(seen) == len(set(seen))


def test_a_message_about_a_request_offers_its_steps_while_they_can_be_taken(asking: Friends) -> None:
    rental = asking.book(1, 2)

    def asked() -> Any:
        items = asking.olga.get("/me/messages")["items"]
        mine = (one for one in items if one["rental"] == rental)
        return next((one for one in mine if one["kind"] == "rental_asked.owner"), None)

    links = [one["link"] for one in until(asked, "the message")["actions"]]
    assert links == [f"/v1/rentals/{rental}/approve", f"/v1/rentals/{rental}/decline"]
    asking.olga.post(f"/rentals/{rental}/approve", want=200)
    assert asked()["actions"] == []
