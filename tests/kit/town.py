"""A town in which everybody writes: its people at the API, and what may be written about, fresh where that is needed."""

import itertools
import json
import uuid
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from flask import Flask
from sqlalchemy import text

from app.claims import decide as deciding
from app.coverage import cover as covers
from app.kit import clock
from app.kit.clock import z
from app.kit.db import new_id, release, session
from app.kit.jobs import keep_failed
from app.operator import act
from app.people.models import Person
from payments.money import Money
from tests import factories
from tests.claims import hearing
from tests.coverage import factories as insured
from tests.kit.asking import session_of
from tests.kit.office import Office
from tests.messages import stage
from tests.operator.operators_desk import Desk as OperatorsDesk
from tests.people.desk import PASSWORD, address
from tests.people.desk import Desk as PeoplesDesk

__all__ = ["PASSWORD", "Answer", "Town"]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SCOPES = ("coverage:read", "claims:write", "webhooks:write")
Answer = Any


class Town:
    """Olga has a car in a circle and lent it to Max once; Charlie is alone; Opal operates, Ines insures.

    Whatever may be named in a path or body is an attribute; those called `new_...` are another one at each look.
    """

    def __init__(self, app: Flask) -> None:
        self.app, self.http = app, app.test_client()
        self.hearing = hearing.build()
        scene = self.hearing.scene
        self.car, self.rental, self.community = scene.car_id, scene.rental_id, scene.community.id
        self.olga, self.max, self.opal = self.hearing.olga, self.hearing.max, self.hearing.opal
        self.charlie = factories.person("Charlie Stranger").id
        given = covers.of(self.rental)
        assert given is not None
        self.cover, self.insurer = given.id, given.insurer_id
        self.totp = act.make_operator(self._email(self.opal), by=act.COMMAND_LINE, reason="tests")
        self._numbers = itertools.count(1)
        self._headers: dict[str, dict[str, str]] = {}
        self.text = ""
        """What is written now, and as whom Pat could sign in with it."""
        self.written = ("", "")

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    # -- asking

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Answer:
        """A request as the app sends it, in pure ASCII; a change is one of whatever stands there."""
        release()
        headers = {"Content-Type": "application/json", "If-Match": "*", "Idempotency-Key": uuid.uuid4().hex}
        sent = None if body is None else json.dumps(body)
        root = "" if path.startswith("/oauth") else "/v1"
        return self.http.open(root + path, method=method, data=sent, headers={**headers, **self.headers(who)})

    def get(self, who: str, path: str) -> Any:
        answer = self.ask(who, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json

    def headers(self, who: str) -> dict[str, str]:
        if who not in self._headers:
            self._headers[who] = self._signed(who)
        return self._headers[who]

    def _signed(self, who: str) -> dict[str, str]:
        if not who:
            return {}
        if who == "ines":
            return insured.bearer(self.http, insured.client(self.insurer, *SCOPES))
        release()
        person = session.get_one(Person, self[who])
        if who != "opal":
            return session_of(person).headers
        desk = OperatorsDesk(self.http, person, self.totp)
        session.execute(
            text("update people set totp_last_step = null where id = :id"), {"id": _bare(person.id)}
        )
        session.commit()
        assert desk.sign_in(desk.code()).status_code == 201
        return {"Authorization": f"Bearer {desk.token}"}

    @staticmethod
    def _email(person: str) -> str:
        return session.get_one(Person, person).email

    # -- people

    @property
    def desk(self) -> PeoplesDesk:
        return PeoplesDesk(self.app)

    @property
    def new_address(self) -> str:
        return address("pat")

    @cached_property
    def pat(self) -> str:
        """Somebody whose password changes."""
        return factories.person("Pat Person").id

    @property
    def pats_address(self) -> str:
        return self._email(self.pat)

    @cached_property
    def phone(self) -> str:
        body = {"installation": str(uuid.uuid4()), "platform": "ios"}
        return str(self.ask("charlie", "POST", "/me/phones", body).json["id"])

    @property
    def new_installation(self) -> str:
        return str(uuid.uuid4())

    @cached_property
    def judged(self) -> str:
        """Somebody whom operators judge."""
        made = factories.person("Pat Person")
        factories.licensed(made, session.get_one(Person, self.opal))
        return made.id

    def _judge(self, how: str) -> str:
        self.ask("opal", "POST", f"/operator/people/{self.judged}/{how}", {"reason": "A court asks."})
        return self.judged

    @property
    def let_person(self) -> str:
        return self._judge("restore")

    @property
    def suspended_person(self) -> str:
        return self._judge("suspend")

    @property
    def free_person(self) -> str:
        return self._judge("lift-hold")

    @property
    def held_person(self) -> str:
        return self._judge("hold")

    # -- cars

    @property
    def new_vin(self) -> str:
        return f"WME45340{next(self._numbers):05d}{uuid.uuid4().hex[:4].upper().replace('O', 'X')}"

    @property
    def new_plate(self) -> str:
        return f"GB {uuid.uuid4().hex[:8].upper()}"

    @cached_property
    def other_car(self) -> str:
        return factories.car(session.get_one(Person, self.olga)).id

    @cached_property
    def next_year(self) -> datetime:
        return clock.now() + 365 * DAY

    @property
    def new_block(self) -> str:
        starts = self.next_year + next(self._numbers) * 2 * HOUR
        body = {"from": z(starts), "to": z(starts + HOUR), "kind": "own_use"}
        return str(self.ask("olga", "POST", f"/cars/{self.car}/blocks", body).json["id"])

    # -- rentals

    @property
    def new_quote(self) -> str:
        starts = clock.now() + DAY + next(self._numbers) * HOUR
        body = {"car": self.car, "from": z(starts), "to": z(starts + HOUR / 2)}
        answer = self.ask("max", "POST", "/quotes", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    @property
    def conditions(self) -> list[str]:
        return ["rental-2026-1", "insurance-2026-1"]

    @property
    def new_booking(self) -> str:
        answer = self.ask("max", "POST", "/rentals", {"quote": self.new_quote, "accept": self.conditions})
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    @cached_property
    def span(self) -> dict[str, str]:
        return {"from": z(clock.now() + DAY), "to": z(clock.now() + 2 * DAY)}

    @property
    def new_ended(self) -> str:
        """A rental that is over, as a row; Olga has said already what she thinks of it."""
        scene, ends = self.hearing.scene, clock.now()
        values = {"state": "ended", "started_at": ends - 3 * HOUR, "ended_at": ends}
        made = stage.rental(scene.car, self.community, scene.max, ends - 3 * HOUR, **values)
        assert self.ask("olga", "POST", f"/rentals/{made}/reviews", {"stars": 5}).status_code == 201
        self.over = made
        return made

    # -- charge requests

    @property
    def new_charge_request(self) -> str:
        row = self.hearing.ask("other", 100)
        return row.id

    @property
    def contested(self) -> str:
        found = self.new_charge_request
        body = {"accept": False, "text": "It was there."}
        assert self.ask("max", "POST", f"/charge-requests/{found}/answer", body).status_code == 200
        return found

    @property
    def decided(self) -> str:
        found = self.contested
        self._decide(found)
        return found

    def _decide(self, found: str) -> None:
        release()
        deciding.decide(found, Money(100, "EUR"), by=self.hearing.otto, reason="The photos show it.")

    @property
    def happened(self) -> str:
        return z(self.hearing.body()["occurred_at"])

    # -- operators and insurers

    @property
    def new_client(self) -> str:
        return insured.client(self.insurer, "coverage:read")[0].id

    @property
    def new_policy(self) -> str:
        return new_id("pol")

    @property
    def policy_body(self) -> dict[str, Any]:
        return {**insured.POLICY, "number": self.new_plate}

    @cached_property
    def webhook(self) -> str:
        body = {"url": "https://ines.example.org/hook", "events": []}
        return str(self.ask("ines", "POST", "/insurer/webhooks", body).json["id"])

    @property
    def new_job(self) -> int:
        number = next(self._numbers) + int(uuid.uuid4().int % 10**9)
        keep_failed(number, "react", {"seq": 0}, "an error of a test")
        return number

    @cached_property
    def office(self) -> Office:
        return Office(self.insurer, self.cover, self.charlie)


def _bare(public: str) -> str:
    return public.partition("_")[2]
