"""What goes wrong at the car's door and on the way: a phone too many, a box that will not, late, silent."""

from app.demo.stage import Stage, slug
from app.demo_cast import Actor, hours, until


def door(on: Stage) -> None:
    on.told.chapter("At the door")
    on.rental = on.book(hours(0), hours(1))
    unlock = f"/rentals/{on.rental['id']}/unlock"
    on.max.ready(on.rental["id"])
    tablet = Actor(on.place, on.max.name)
    tablet.email = on.max.email
    tablet.sign_in()
    tablet.call("DELETE", "/sessions/current", want=204)
    gone = tablet.refused("POST", unlock, slug="session-revoked")
    on.told.step("Max", "unlocks with the token of a signed-out tablet", slug(gone))
    on.street.fault("refuse", times=1)
    wont = on.max.refused("POST", unlock, slug="box-refused", headers={"Prefer": "wait=15"})
    cover = on.max.get(f"/rentals/{on.rental['id']}")["cover"]
    on.told.step(
        "box",
        "refuses to open",
        f"{slug(wont)} The cover is {cover['state']}.",
        "Max: " + on.max.pushed("unlock_failed", on.rental["id"]),
    )
    on.street.fault("slow", seconds=0.5, times=1)
    first, second = (on.max.post(unlock, want=202) for _ in range(2))
    assert first["id"] == second["id"], "two taps made two commands"
    until(lambda: on.state() == "active", "the opened door")
    opened = [one["executed"] for one in on.street.log() if one["id"] == first["id"]]
    on.told.step("Max", "taps twice", f"one command, {first['id'][:12]}…, carried out {sum(opened)} time")


def too_late(on: Stage) -> None:
    on.told.chapter("Late, low, and out of reach")
    rental = on.rental["id"]
    on.street.do("battery", percent=15)
    on.drive(5)
    on.told.step("car", "is down to 15 %", "told once", "Max: " + on.max.pushed("charge_low"))
    on.forward("70m")
    on.told.step(
        "Max",
        "is not back at the planned end",
        "the cover goes on, the next driver would be warned",
        "Olga: " + on.olga.pushed("rental_late", rental) + " | Max: " + on.max.pushed("rental_late", rental),
    )
    on.street.fault("offline")
    until(lambda: not on.street.state()["connected"], "the box to be gone")
    silent = on.max.refused(
        "POST",
        f"/rentals/{rental}/lock",
        {"keys_in_glove_box": True},
        slug="box-silent",
        headers={"Prefer": "wait=15"},
    )
    shown = on.max.get(f"/rentals/{rental}")
    on.told.step(
        "Max",
        "locks in a garage without reception",
        f"{slug(silent)} Meter stopped, cover {shown['cover']['state']}.",
    )
    on.street.fault("none")
    done = until(lambda: on.locked(rental), "the lock")
    paid = until(lambda: on.payment("captured"), "the capture")
    lines = on.max.get(f"/rentals/{rental}/receipt")["lines"]
    on.told.step(
        "Max",
        "locks again, the box answers",
        f"{done}; " + ", ".join(f"{line['code']} {line['amount']['amount'] / 100:.2f}" for line in lines),
        f"Stripe: {paid['captured']['amount'] / 100:.2f} EUR captured",
    )
    on.street.vanish()
    on.place.flask("clock", "forward", "26m")


def silence(on: Stage) -> None:
    on.told.chapter("A box that stays silent")
    on.told.step("box", "says nothing for 25 minutes", "told once", "Olga: " + on.olga.pushed("box_offline"))
    on.street.fault("none")
    on.street.do("battery", percent=80)
    until(lambda: on.street.state()["connected"], "the box at the broker")
    on.wake()
    on.told.step("box", "is back", f"heard at {on.olga.get(f'/cars/{on.car}/state')['last_heard_at']}")
