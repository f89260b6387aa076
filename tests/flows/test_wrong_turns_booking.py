"""What goes wrong before the unlock, and how each refusal says so."""

from app.demo_cast import Actor, hours, inst, until
from app.supervisor import Supervisor
from tests.flows.friends import WAIT, Friends, bare
from tests.flows.known import known


def test_who_is_no_member_gets_no_quote(asking: Friends) -> None:
    charlie = known(asking.place, "Charlie Stranger")
    charlie.refused("POST", "/quotes", asking.span(1, 2), slug="not-found")


def test_who_was_removed_books_no_quote_made_before(asking: Friends) -> None:
    quote = asking.quote(1, 2)
    asking.olga.call("DELETE", f"/communities/{asking.community}/members/{asking.max.id}", want=204)
    asking.max.refused("POST", "/rentals", asking.booking(quote), slug="not-found")


def test_a_blocked_member_gets_no_quote(asking: Friends) -> None:
    asking.olga.patch(f"/communities/{asking.community}/members/{asking.max.id}", {"blocked": True})
    asking.max.refused("POST", "/quotes", asking.span(1, 2), slug="not-found")


def test_olga_needs_no_rental_of_her_own_car(asking: Friends) -> None:
    asking.olga.refused("POST", "/quotes", asking.span(1, 2), slug="own-car")


def test_a_taken_car_says_what_is_free_nearby(friends: Friends) -> None:
    rental = friends.book(2, 4)
    span = friends.rental(rental)["span"]
    refusal = friends.max.refused("POST", "/quotes", friends.span(1, 3), slug="car-taken")
    assert refusal["longest_to"] == span["from"]
    ends = [one["to"] for one in refusal["free_nearby"]]
    begins = [one["from"] for one in refusal["free_nearby"]]
    assert span["from"] in ends
    assert span["to"] in begins


def test_two_quotes_of_one_span_make_one_booking(friends: Friends) -> None:
    nina = known(friends.place, "Nina New")
    friends.let_in(nina)
    mine, hers = friends.quote(1, 2), friends.quote(1, 2, nina)
    friends.max.post("/rentals", friends.booking(mine), want=201)
    nina.refused("POST", "/rentals", friends.booking(hers), slug="car-taken")


def test_only_the_driver_unlocks(friends: Friends) -> None:
    rental = friends.book()
    friends.olga.refused("POST", f"/rentals/{rental}/unlock", slug="not-allowed")
    charlie = known(friends.place, "Charlie Stranger")
    charlie.refused("POST", f"/rentals/{rental}/unlock", slug="not-found")
    assert friends.commands("unlock") == []


def test_too_early_the_car_stays_shut(friends: Friends) -> None:
    rental = friends.book(0.5, 2)
    refusal = friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="not-ready")
    assert [one["code"] for one in refusal["conditions"]] == ["time"]
    assert refusal["conditions"][0]["remedy"]


def test_after_its_end_a_booking_is_over(friends: Friends) -> None:
    rental = friends.book(0, 0.3)
    friends.forward("19m")
    friends.becomes(rental, "cancelled")
    friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="step-not-allowed")


def test_outside_the_windows_is_refused_also_when_they_change_after_the_quote(friends: Friends) -> None:
    quote = friends.quote(1, 2)
    window = friends.olga.get(f"/cars/{friends.car}/windows")["items"][0]["id"]
    friends.olga.call("DELETE", f"/cars/{friends.car}/windows/{window}", want=204)
    friends.max.refused("POST", "/rentals", friends.booking(quote), slug="outside-windows")


def test_a_token_of_a_signed_out_phone_opens_nothing(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    friends.max.call("DELETE", "/sessions/current", want=204)
    friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="session-revoked")
    assert friends.commands("unlock") == []


def test_a_session_without_a_registered_phone_opens_nothing(friends: Friends) -> None:
    rental = friends.book()
    browser = Actor(friends.place, friends.max.name)
    browser.email = friends.max.email
    browser.sign_in()
    refusal = browser.refused("POST", f"/rentals/{rental}/unlock", slug="not-ready")
    assert [one["code"] for one in refusal["conditions"]] == ["phone"]


def test_a_phone_that_registered_a_key_signs_or_is_refused(friends: Friends) -> None:
    rental = friends.book()
    answer = bare(friends.max, "POST", f"/rentals/{rental}/unlock", Idempotency_Key="unsigned-unlock")
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/signature-invalid")
    stale = {"Idempotency_Key": "badly-signed-unlock", "Phone_Signature": "1700000000.AAAA"}
    answer = bare(friends.max, "POST", f"/rentals/{rental}/unlock", **stale)
    assert answer.json()["type"] == "/problems/signature-invalid"


def test_a_signature_copied_from_another_request_is_refused(friends: Friends) -> None:
    rental = friends.lent()
    friends.max.post(f"/rentals/{rental}/pause", headers=WAIT, want=200)
    assert friends.max.last is not None
    signature = friends.max.last.request.headers["Phone-Signature"]
    copied = {"Idempotency_Key": "copied-signature", "Phone_Signature": signature}
    answer = bare(friends.max, "POST", f"/rentals/{rental}/unlock", **copied)
    assert answer.json()["type"] == "/problems/signature-invalid"


def test_a_car_that_is_not_back_names_that_to_the_next_driver(friends: Friends) -> None:
    nina = known(friends.place, "Nina New")
    friends.let_in(nina)
    friends.clear(nina)
    friends.lent(0, 1)
    following = friends.book(1.1, 3, nina)
    friends.forward("70m")
    unmet = friends.unmet(following, who=nina)
    assert "car_back" in unmet
    refusal = nina.refused("POST", f"/rentals/{following}/unlock", slug="not-ready")
    assert "car_back" in [one["code"] for one in refusal["conditions"]]


def test_an_unsafe_car_is_not_unlocked(friends: Friends) -> None:
    rental = friends.book()
    friends.place.flask("operator", "car", "safe", friends.car, "--unsafe", "--reason", "brakes")
    assert friends.unmet(rental) == ["safe"]
    friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="not-ready")


def test_a_suspended_person_is_out_at_once(friends: Friends) -> None:
    rental = friends.book()
    friends.place.flask("operator", "person", "suspend", friends.max.id, "--reason", "tests")
    friends.max.refused("POST", f"/rentals/{rental}/unlock", slug="session-revoked")


def test_a_member_removed_has_future_rentals_cancelled_at_no_cost(priced: Friends) -> None:
    rental = priced.book(2, 4)
    priced.payment(rental, "held")
    priced.olga.call("DELETE", f"/communities/{priced.community}/members/{priced.max.id}", want=204)
    priced.becomes(rental, "cancelled")
    assert priced.payment(rental, "released")["captured"]["amount"] == 0


def test_a_member_removed_on_the_way_drives_on_to_the_lock(friends: Friends) -> None:
    rental = friends.lent()
    friends.olga.call("DELETE", f"/communities/{friends.community}/members/{friends.max.id}", want=204)
    friends.max.post(f"/rentals/{rental}/pause", headers=WAIT, want=200)
    friends.max.post(f"/rentals/{rental}/unlock", headers=WAIT, want=200)
    assert friends.lock(rental)["state"] == "confirmed"


# -- idempotency and waiting -----------------------------------------------------------------------------------------


def test_without_an_idempotency_key_nothing_is_booked(asking: Friends) -> None:
    answer = bare(asking.max, "POST", "/rentals", asking.booking(asking.quote(1, 2)))
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-missing")


def test_a_repeated_booking_answers_the_same_rental(asking: Friends) -> None:
    body, key = asking.booking(asking.quote(1, 2)), "book-this-once"
    first = asking.max.post("/rentals", body, want=201, key=key)
    again = asking.max.post("/rentals", body, want=201, key=key)
    assert asking.max.last is not None
    assert asking.max.last.headers["Idempotent-Replayed"] == "true"
    assert asking.max.last.headers["Location"] == f"/v1/rentals/{first['id']}"
    assert again == first
    held = asking.olga.get(f"/cars/{asking.car}/calendar", **asking.day())["items"]
    assert [one["ref"] for one in held if one["kind"] == "held"] == [first["id"]]


def test_a_key_used_for_another_body_is_refused(asking: Friends) -> None:
    key = "one-key-two-bodies"
    asking.max.post("/rentals", asking.booking(asking.quote(1, 2)), want=201, key=key)
    other = asking.booking(asking.quote(3, 4))
    asking.max.refused("POST", "/rentals", other, slug="idempotency-key-reused", key=key)


def test_a_refusal_is_judged_anew_under_the_same_key(asking: Friends) -> None:
    key, span = "refused-then-right", asking.span(1, 2)
    body = {"from": span["from"], "to": span["to"], "kind": "own_use"}
    block = asking.olga.post(f"/cars/{asking.car}/blocks", body, want=201)["id"]
    asking.max.refused("POST", "/quotes", span, slug="car-taken", key=key)
    asking.olga.call("DELETE", f"/cars/{asking.car}/blocks/{block}", want=204)
    asking.max.post("/quotes", span, want=201, key=key)


def test_one_persons_key_is_not_anothers(asking: Friends) -> None:
    key = "the-same-key-twice"
    made = asking.max.post("/quotes", asking.span(1, 2), want=201, key=key)
    nina = known(asking.place, "Nina New")
    asking.let_in(nina)
    assert nina.post("/quotes", asking.span(1, 2), want=201, key=key)["id"] != made["id"]


def test_without_prefer_an_unlock_is_accepted_with_its_place(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    begun = friends.max.post(f"/rentals/{rental}/unlock", want=202)
    assert friends.max.last is not None
    location = friends.max.last.headers["Location"]
    assert location == f"/v1/rentals/{rental}/commands/{begun['id']}"
    until(lambda: friends.max.get(location)["state"] == "confirmed", "the command to settle")
    assert friends.becomes(rental, "active")


def test_more_than_twenty_seconds_are_not_waited(friends: Friends) -> None:
    rental = friends.lent()
    headers = {"Prefer": "wait=21"}
    friends.max.refused("POST", f"/rentals/{rental}/pause", slug="malformed", headers=headers)
    assert friends.commands("lock") == []


def test_a_repeated_unlock_answers_the_same_command_and_opens_once(friends: Friends) -> None:
    rental, key = friends.book(), "unlock-only-once"
    friends.ready(rental)
    first = friends.max.post(f"/rentals/{rental}/unlock", want=200, key=key, headers=WAIT)
    again = friends.max.post(f"/rentals/{rental}/unlock", want=200, key=key, headers=WAIT)
    assert friends.max.last is not None
    assert friends.max.last.headers["Idempotent-Replayed"] == "true"
    assert again == first
    assert [one["id"] for one in friends.commands("unlock")] == [first["id"]]


def test_the_key_of_an_unlock_does_not_lock(friends: Friends) -> None:
    rental, key = friends.book(), "unlock-is-not-lock"
    friends.ready(rental)
    friends.max.post(f"/rentals/{rental}/unlock", want=200, key=key, headers=WAIT)
    friends.max.refused("POST", f"/rentals/{rental}/pause", slug="idempotency-key-reused", key=key)


def test_a_second_tap_gets_the_first_taps_command_and_the_box_acts_once(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    friends.street.fault("slow", seconds=1.5, times=1)
    first, second = (friends.max.post(f"/rentals/{rental}/unlock", want=202) for _ in range(2))
    assert first["id"] == second["id"]
    friends.becomes(rental, "active")
    assert [(one["id"], one["executed"]) for one in friends.commands("unlock")] == [(first["id"], 1)]


def test_a_second_tap_just_after_the_box_has_opened_gets_the_same_command_too(friends: Friends) -> None:
    rental = friends.book()
    friends.ready(rental)
    first, second = (friends.max.post(f"/rentals/{rental}/unlock", want=200, headers=WAIT) for _ in range(2))
    assert (first["id"], second["id"], second["state"]) == (first["id"], first["id"], "confirmed")
    assert [(one["id"], one["executed"]) for one in friends.commands("unlock")] == [(first["id"], 1)]


def test_a_body_with_a_field_nobody_knows_is_refused_by_name(asking: Friends) -> None:
    refusal = asking.max.refused("POST", "/quotes", {**asking.span(1, 2), "colour": "red"}, slug="validation")
    assert [(one["pointer"], one["code"]) for one in refusal["errors"]] == [("/colour", "unknown")]


def test_an_extension_past_the_next_booking_is_refused_with_the_longest_end(friends: Friends) -> None:
    rental = friends.book(0, 2)
    following = friends.book(3, 4)
    begins = friends.rental(following)["span"]["from"]
    body = {"rental": rental, "to": inst(friends.now() + hours(3.5))}
    refusal = friends.max.refused("POST", "/quotes", body, slug="car-taken")
    assert refusal["longest_to"] == begins


def test_a_place_in_one_flow_is_still_the_same_place(place: Supervisor) -> None:
    """No part of the place has ended under the tests."""
    assert [part.name for part in place.parts.values() if part.process.poll() is not None] == []
