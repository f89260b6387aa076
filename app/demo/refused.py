"""What comes to nothing before the drive: the wrong time, the wrong card; each says why, and costs nothing."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from app.demo.stage import Stage, slug, unmet
from app.demo_cast import hours, until

EMPTY, ASKS = "4000000000009995", "4000002760003184"
AHEAD = timedelta(days=10)


def times(on: Stage) -> None:
    on.told.chapter("Not at this time")
    path = f"/cars/{on.car}/windows"
    window = on.olga.get(path)["items"][0]["id"]
    day = (on.max.now() + AHEAD).astimezone(ZoneInfo("Europe/Paris")).date()
    on.olga.patch(f"{path}/{window}", {"exdates": [day.isoformat()]})
    outside = on.max.refused("POST", "/quotes", on.span(AHEAD, AHEAD + hours(1)), slug="outside-windows")
    on.told.step("Max", f"asks for {day}, which Olga keeps for herself", slug(outside))
    rental = on.book(hours(0), hours(0.3))["id"]
    on.forward("19m")
    until(lambda: on.max.get(f"/rentals/{rental}")["state"] == "cancelled", "the end of the booking")
    over = on.max.refused("POST", f"/rentals/{rental}/unlock", slug="step-not-allowed")
    on.told.step("Max", "comes a minute after the end of a booking", slug(over))


def card(on: Stage) -> None:
    on.told.chapter("The card")
    good = on.max.get("/me/cards")["items"][0]["id"]
    empty, asks = on.max.save_card(EMPTY), on.max.save_card(ASKS)
    rental = on.book(hours(6), hours(7), card=empty)["id"]
    failed = until(lambda: on.payment("hold_failed", rental), "the failed hold")
    on.told.step(
        "Stripe",
        "declines Max's card",
        f"booked, not held: {failed['failure']}",
        "Max: " + on.max.pushed("payment_failed", rental),
    )
    early = on.max.refused("POST", f"/rentals/{rental}/unlock", slug="not-ready")
    on.told.step("Max", "comes hours too early, and unpaid", unmet(early))
    on.max.post(f"/rentals/{rental}/payments/retry", {"card": asks}, want=202)
    asked = until(lambda: on.payment("action_required", rental), "the bank's question")
    heard = "Max: " + on.max.pushed("payment_action_required", rental)
    secret = asked["action"]["client_secret"]
    on.place.control("stripe", "POST", "payment_intents/confirm", client_secret=secret, three_ds="fail")
    failed = until(lambda: on.payment("hold_failed", rental), "the failed question")
    on.told.step("Max", "fails his bank's question (3-D Secure)", f"not held: {failed['failure']}", heard)
    on.max.post(f"/rentals/{rental}/payments/retry", {"card": good}, want=202)
    until(lambda: on.payment("held", rental), "the hold")
    on.olga.post(f"/rentals/{rental}/cancel", {"reason": "I need it myself"})
    freed = until(lambda: on.payment("released", rental), "the release")
    on.told.step(
        "Olga",
        "cancels, now that a good card holds",
        f"{freed['captured']['amount'] / 100:.2f} EUR captured, the hold released",
        "Max: " + on.max.pushed("rental_cancelled", rental),
    )
    for one in (empty, asks):
        on.max.call("DELETE", f"/me/cards/{one}", want=204)
