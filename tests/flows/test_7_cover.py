import json
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from joserfc import jws
from joserfc.jwk import KeySet

from app.demo import POLICY, SCOPES
from app.demo_cast import Actor, hours, inst, until
from app.supervisor import Supervisor
from tests.flows.friends import WAIT, Friends, partner_token


class Insurer:
    """Ines at her desk: a client of an insurer, asking with its token."""

    def __init__(self, place: Supervisor, client: dict[str, Any]) -> None:
        self.place, self.token = place, partner_token(place, client)

    def ask(self, path: str, want: int = 200, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.place.url}/v1/insurer{path}"
        answer = requests.get(url, params=query, headers=headers, timeout=10)
        assert answer.status_code == want, answer.text
        return answer.json()

    def covered(self, friends: Friends, at: str, wanted: str) -> Any:
        """The answer about Olga's plate, once what was recorded is sealed."""
        query = {"plate": friends.plate, "country": "FR", "at": at}

        def look() -> Any:
            found = self.ask("/coverage", **query)
            return found if found["covered"] == wanted else None

        return until(look, f"covered {wanted} at {at}")

    def closed(self, cover: str) -> Any:
        """The cover as the insurer reads it, once its close is sealed."""
        headers = {"Authorization": f"Bearer {self.token}"}

        def look() -> Any:
            answer = requests.get(f"{self.place.url}/v1/insurer/covers/{cover}", headers=headers, timeout=10)
            return answer.json() if answer.ok and answer.json()["state"] == "closed" else None

        return until(look, "the close")

    def changes(self, cover: str) -> list[Any]:
        """Every change of one cover, walked from the beginning."""
        found, cursor = [], None
        while True:
            page = self.ask("/changes", **({"cursor": cursor} if cursor else {}))
            found += [one for one in page["items"] if one["cover"]["id"] == cover]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                return found


@pytest.fixture
def ines(place: Supervisor) -> Insurer:
    return Insurer(place, place.parts["insurer"].ready["our_client"])


@pytest.fixture
def stranger(place: Supervisor) -> Insurer:
    """Another insurer, whose policy stands beside the first one's, for another country."""
    reason = ("--reason", "tests")
    made = json.loads(place.flask("operator", "insurer", "add", f"Andere {uuid.uuid4().hex[:8]}", *reason))
    file = place.folder / "other-policy.json"
    body = {**POLICY, "number": f"AT-{uuid.uuid4().hex[:8]}", "countries": ["AT"], "territory": ["AT"]}
    file.write_text(json.dumps(body), "utf-8")
    place.flask("operator", "policy", "add", made["insurer"], str(file), *reason)
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    words = ("operator", "insurer", "client", made["insurer"], "--label", "tests", *scopes, *reason)
    return Insurer(place, json.loads(place.flask(*words)))


def cover_of(friends: Friends, rental: str) -> str:
    return str(friends.rental(rental)["cover"]["id"])


def minus(at: str, milliseconds: int = 1) -> str:
    return inst(datetime.fromisoformat(at) - timedelta(milliseconds=milliseconds))


def test_the_cover_is_bound_before_the_command_is_in_the_boxs_log(friends: Friends, ines: Insurer) -> None:
    rental = friends.book()
    done = friends.unlock(rental)
    logged = next(one for one in friends.street.log() if one["id"] == done["id"])
    changes = until(lambda: ines.changes(cover_of(friends, rental)), "the changes")
    before = time.time()
    ahead = friends.now().timestamp() - before
    bound = datetime.fromisoformat(changes[0]["recorded_at"]).timestamp() - ahead
    assert changes[0]["kind"] == "cover.bound"
    assert bound < logged["at"]


def test_while_the_car_is_out_its_cover_is_active_and_open(friends: Friends, ines: Insurer) -> None:
    rental = friends.lent()
    seen = ines.covered(friends, inst(friends.now()), "yes")
    cover = seen["cover"]
    assert (cover["id"], cover["liability"]["to"]) == (cover_of(friends, rental), None)
    assert seen["insurer"] == "Exemple Assurances"
    assert seen["policy_number"] == "FR-TEST"
    assert friends.rental(rental)["cover"]["state"] == "active"


def test_the_lock_closes_the_cover_at_that_instant(friends: Friends, ines: Insurer) -> None:
    rental = friends.lent()
    friends.lock(rental)
    actual = friends.rental(rental)["actual"]
    assert friends.rental(rental)["cover"]["state"] == "closed"
    cover = cover_of(friends, rental)
    assert ines.closed(cover)["liability"]["to"] == actual["to"]


def test_the_insurer_asks_a_plate_at_an_instant_half_open(friends: Friends, ines: Insurer) -> None:
    rental = friends.lent()
    friends.lock(rental)
    cover = cover_of(friends, rental)
    span = ines.closed(cover)["liability"]
    wanted = [
        (minus(span["from"]), "no"),
        (span["from"], "yes"),
        (minus(span["to"]), "yes"),
        (span["to"], "no"),
    ]
    for at, covered in wanted:
        assert ines.covered(friends, at, covered)["covered"] == covered


def test_a_plate_is_found_however_it_is_written(friends: Friends, ines: Insurer) -> None:
    friends.lent()
    at = inst(friends.now())
    ines.covered(friends, at, "yes")
    for plate in (friends.plate.lower(), friends.plate.replace("-", " ")):
        assert ines.ask("/coverage", plate=plate, country="FR", at=at)["covered"] == "yes"
    assert ines.ask("/coverage", plate=friends.plate, country="DE", at=at)["covered"] == "unknown"


def test_an_answer_as_of_then_stays_what_was_known_then(friends: Friends, ines: Insurer) -> None:
    rental = friends.lent()
    during = inst(friends.now())
    then = ines.covered(friends, during, "yes")["as_of"]
    friends.lock(rental)
    cover = cover_of(friends, rental)
    ines.closed(cover)
    assert ines.ask(f"/covers/{cover}", as_of=then)["liability"]["to"] is None


def test_the_future_is_not_answered(friends: Friends, ines: Insurer) -> None:
    later = inst(friends.now() + hours(1))
    refusal = ines.ask("/coverage", 422, plate=friends.plate, country="FR", at=later)
    assert refusal["type"] == "/problems/validation"


def test_the_changes_of_a_rental_come_in_order_by_cursor(friends: Friends, ines: Insurer) -> None:
    rental = friends.lent()
    friends.lock(rental)
    cover = cover_of(friends, rental)
    wanted = ["cover.bound", "cover.activated", "cover.closed"]
    until(lambda: len(ines.changes(cover)) == 3, "three changes")
    seen = ines.changes(cover)
    assert [one["kind"] for one in seen] == wanted
    assert [one["version"] for one in seen] == [1, 2, 3]
    assert sorted(one["position"] for one in seen) == [one["position"] for one in seen]


def test_the_insurer_is_told_each_version_over_its_own_api(friends: Friends) -> None:
    rental = friends.lent()
    friends.lock(rental)
    cover = cover_of(friends, rental)

    def told() -> Any:
        found = friends.place.control("insurer", "GET", "covers", cover=cover)["covers"]
        return found if "closed" in json.dumps(found) else None

    assert until(told, "the report of the close")


def test_the_certificate_verifies_with_the_published_keys_alone(friends: Friends) -> None:
    rental = friends.lent()
    token = friends.max.get(f"/covers/{cover_of(friends, rental)}/certificate")["certificate"]
    keys = requests.get(f"{friends.place.url}/.well-known/jwks.json", timeout=10).json()
    seen = jws.deserialize_compact(token, KeySet.import_key_set(keys), algorithms=["ES256"])
    assert seen.headers()["alg"] == "ES256"
    assert friends.plate in seen.payload.decode()
    assert "Max" not in seen.payload.decode()


def test_the_certificate_is_the_drivers_alone(friends: Friends) -> None:
    rental = friends.lent()
    path = f"/covers/{cover_of(friends, rental)}/certificate"
    friends.olga.refused("GET", path, slug="not-found")


def test_anybody_learns_from_a_certificate_whether_it_is_in_force(friends: Friends) -> None:
    rental = friends.lent()
    token = friends.max.get(f"/covers/{cover_of(friends, rental)}/certificate")["certificate"]
    claims = json.loads(jws.extract_compact(token.encode()).payload)
    certificate = next(word for word in _words(claims) if word.startswith("crt_"))

    def standing() -> str:
        answer = requests.get(f"{friends.place.url}/verify/{certificate}", timeout=10).json()
        return str(answer["status"])

    assert standing() == "in_force"
    friends.lock(rental)
    assert standing() == "closed"


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [word for one in value.values() for word in _words(one)]
    if isinstance(value, list):
        return [word for one in value for word in _words(one)]
    return str(value).replace("/", " ").split()


def test_another_insurers_cover_does_not_exist(friends: Friends, ines: Insurer, stranger: Insurer) -> None:
    cover = cover_of(friends, friends.lent())
    ines.covered(friends, inst(friends.now()), "yes")
    for path in (f"/covers/{cover}", f"/covers/{cover}/events"):
        assert stranger.ask(path, 404)["type"] == "/problems/not-found"
    assert stranger.ask("/covers")["items"] == []
    assert stranger.changes(cover) == []
    query = {"plate": friends.plate, "country": "FR", "at": inst(friends.now())}
    answer = stranger.ask("/coverage", **query)
    assert (answer["covered"], answer.get("cover"), answer.get("driver_ref")) == ("unknown", None, None)


@pytest.mark.parametrize("path", ["/covers", "/changes", "/exposure", "/coverage", "/log-heads"])
def test_a_persons_token_opens_no_insurers_route(circle: Friends, path: str) -> None:
    headers = {"Authorization": f"Bearer {circle.max.access}"}
    answer = requests.get(f"{circle.place.url}/v1/insurer{path}", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")


@pytest.mark.parametrize("path", ["/me", "/cars", "/rentals", "/communities"])
def test_an_insurers_token_opens_no_persons_route(ines: Insurer, path: str) -> None:
    headers = {"Authorization": f"Bearer {ines.token}"}
    answer = requests.get(f"{ines.place.url}/v1{path}", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")


@pytest.fixture(scope="module")
def circle(place: Supervisor) -> Friends:
    """Only read."""
    return Friends(place, street=False)


def test_the_lookup_of_a_plate_is_shown_to_the_owner(friends: Friends, ines: Insurer) -> None:
    friends.lent()
    at = inst(friends.now())
    ines.covered(friends, at, "yes")
    seen = ines.ask("/lookup", plate=friends.plate, country="FR", at=at)
    assert (seen["covered"], seen["insurer"]) in {(True, "Exemple Assurances"), ("yes", "Exemple Assurances")}
    rows = friends.olga.get(f"/cars/{friends.car}/lookups")["items"]
    assert [(one["insurer"], one["plate"]) for one in rows] == [("Exemple Assurances", friends.plate)]


def test_the_cover_goes_on_through_a_pause(friends: Friends, ines: Insurer) -> None:
    rental = friends.lent()
    friends.max.post(f"/rentals/{rental}/pause", headers=WAIT, want=200)
    seen = ines.covered(friends, inst(friends.now()), "yes")
    assert seen["cover"]["id"] == cover_of(friends, rental)


@pytest.mark.parametrize(
    ("car", "reason"),
    [
        ({"inspection_until": "2020-05-01"}, "inspection"),
        ({"declared_value": {"amount": 9_000_000, "currency": "EUR"}}, "value"),
        ({"powertrain": "diesel"}, "powertrain"),
    ],
)
def test_what_the_policy_does_not_cover_is_not_booked(
    place: Supervisor, people: tuple[Actor, Actor], car: dict[str, Any], reason: str
) -> None:
    friends = Friends(place, street=False, car=car, people=people)
    refusal = friends.max.refused(
        "POST", "/rentals", friends.booking(friends.quote(1, 2)), slug="not-insurable"
    )
    assert [one for one in refusal["reasons"] if reason in one]
