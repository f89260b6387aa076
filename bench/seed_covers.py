"""Years of covers for insurers of several countries: written by COPY in the order in which they were recorded.

A car has a cover of three hours every 17.5 hours. Each cover is closed, known by its last version alone (all three would
take 40 GB), and its fact is sealed. Cars of half the covers are insured in France, those of a twentieth in the Netherlands.
"""

import json
import uuid
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from app.demo import POLICY
from app.kit.db import uuid7
from app.kit.listen import conninfo
from app.supervisor import Supervisor
from bench.bulk import Tell, settled, without_indexes
from bench.scale import Scale
from bench.seed_past import DATA

EVERY, LASTS = timedelta(hours=17.5), timedelta(hours=3)
COUNTRIES = {
    "FR": ("Europe/Paris", 10),
    "DE": ("Europe/Berlin", 4),
    "IT": ("Europe/Rome", 3),
    "ES": ("Europe/Madrid", 2),
    "NL": ("Europe/Amsterdam", 1),
}
"""Of twenty cars so many are of each country, and so its insurer's."""
TABLES = ("covers", "cover_versions", "facts")
SCOPES = ("coverage:read", "coverage:lookup", "bordereau:read")
REASON = ("--reason", "bench")
SEEDED = "covers.json"
DRIVERS = 500
_COVER = (
    "id, certificate_id, rental_id, car_no, car_id, insurer_id, policy_id, driver_id, driver_ref, community_id, car,"
    " declared_value, currency, state, version, recorded_at, planned_from, planned_to, from_at, to_at, own_damage_to,"
    " odometer_start_km, odometer_end_km, covered_minutes, charged_minutes, premium, end_evidence, acknowledged_version,"
    " acknowledged_at"
)
_VERSION = "cover_id, version, kind, fact_seq, recorded_at, insurer_id, state, from_at, to_at, data"
_FACT = "seq, kind, data, at, recorded_at, position, sealed_at, chain"


@dataclass(frozen=True, slots=True)
class Insurer:
    """One of a country, and the client that asks for it."""

    country: str
    id: str
    policy: str
    client: str


@dataclass(frozen=True, slots=True)
class Covers:
    """What was written; cars from `first_no` on are numbered as they were made."""

    cars: int
    each: int
    begin: datetime
    first_no: int
    insurers: list[Insurer]

    @property
    def count(self) -> int:
        return self.cars * self.each

    @property
    def end(self) -> datetime:
        return self.begin + self.each * EVERY

    @property
    def month(self) -> str:
        """The last one that was over when it was written."""
        return (self.end.replace(day=1) - timedelta(days=1)).isoformat()[:7]

    def insurer_of(self, car: int) -> Insurer:
        return self.insurers[_country(car)]

    def starts(self, car: int, n: int) -> datetime:
        """When the nth cover of a car begins: one car after the other, so that no two are recorded in one second."""
        return self.begin + n * EVERY + car * timedelta(hours=12) / self.cars

    def plate(self, car: int, at: datetime) -> str:
        """Every tenth car got another plate half way."""
        changed = car % 10 == 0 and at >= self.changed
        return f"{'NW' if changed else 'BX'}{car:05d}"

    @property
    def changed(self) -> datetime:
        return self.begin + self.each // 2 * EVERY


def _country(car: int) -> int:
    upto = 0
    for n, (_, share) in enumerate(COUNTRIES.values()):
        upto += share
        if car % 20 < upto:
            return n
    raise AssertionError


def seed_covers(place: Supervisor, scale: Scale, tell: Tell) -> Covers:
    """Write them, unless the place's folder has them of an earlier run."""
    file = place.folder / SEEDED
    if file.exists():
        return _read(file)
    dsn = conninfo(place.database_url)
    insurers = [_insurer(place, country) for country in COUNTRIES]
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
    with psycopg.connect(dsn) as db:
        cars, drivers, first_no = _cars(db, scale.covered_cars, end - scale.covers_each * EVERY, insurers)
        found = Covers(
            scale.covered_cars, scale.covers_each, end - scale.covers_each * EVERY, first_no, insurers
        )
        _plates(db, found)
    with psycopg.connect(dsn, autocommit=True) as db:
        # Nothing of ours reads that index, and it takes longer to build than all the rest.
        db.execute("alter table covers drop constraint covers_never_two_at_once")
    with without_indexes(dsn, TABLES, tell):
        _copy(dsn, found, cars, drivers, tell)
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute("select setval('facts_seq_seq', (select max(seq) from facts))")
    settled(dsn, tell)
    file.write_text(json.dumps(asdict(found), default=str), "utf-8")
    return found


def _read(file: Path) -> Covers:
    kept = json.loads(file.read_text("utf-8"))
    insurers = [Insurer(**one) for one in kept.pop("insurers")]
    return Covers(**{**kept, "begin": datetime.fromisoformat(kept["begin"])}, insurers=insurers)


def _insurer(place: Supervisor, country: str) -> Insurer:
    name, number = f"Bench {country}", f"{country}-BENCH"
    insurer = json.loads(place.flask("operator", "insurer", "add", name, *REASON))["insurer"]
    file = place.folder / "policy.json"
    spans = {"countries": [country], "territory": list(COUNTRIES), "valid_from": "2020-01-01T00:00:00+01:00"}
    file.write_text(json.dumps({**POLICY, "number": number, **spans}), "utf-8")
    policy = json.loads(place.flask("operator", "policy", "add", insurer, str(file), *REASON))["policy"]
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    made = place.flask("operator", "insurer", "client", insurer, "--label", "bench", *scopes, *REASON)
    return Insurer(country, insurer, policy, json.loads(made)["client_id"])


def _cars(
    db: psycopg.Connection[Any], count: int, begin: datetime, insurers: list[Insurer]
) -> tuple[list[uuid.UUID], list[uuid.UUID], int]:
    """Policies in force, an owner and drivers, cars; returns cars and drivers by id, and the first car's number."""
    people, cars = [uuid7() for _ in range(DRIVERS)], [uuid7() for _ in range(count)]
    with db.cursor() as cursor:
        cursor.executemany(
            "insert into policies_in_force (policy_id, insurer_id, country, from_at, to_at)"
            " values (%s, %s, %s, %s, '2040-01-01')",
            [(uuid.UUID(one.policy[4:]), uuid.UUID(one.id[4:]), one.country, begin) for one in insurers],
        )
        cursor.executemany(
            "insert into people (id, name, email, email_key, email_confirmed_at, password_hash, language, country, time_zone,"
            " birth_date, operator, made_at) values (%s, %s, %s, %s, %s, '-', 'en', 'FR', 'Europe/Paris', '1990-04-02', false, %s)",
            [
                (p, f"Driver {n}", f"d{n}@bench.example", f"d{n}@bench.example", begin, begin)
                for n, p in enumerate(people)
            ],
        )
        places = [
            (*item, zone) for item, (zone, _) in zip(enumerate(COUNTRIES), COUNTRIES.values(), strict=True)
        ]
        cursor.executemany(
            "insert into cars (id, owner_id, plate, vin, make, model, powertrain, seats, country, time_zone, home_lat, home_lon,"
            " home_label, blur_lat, blur_lon, unsafe, barred, made_at) values"
            " (%s, %s, %s, %s, 'smart', 'EQ', 'electric', 2, %s, %s, 48.8, 2.35, '', 0.1, 0.1, false, false, %s)",
            [
                (car, people[0], f"BX{n:05d}", f"WMECOVER{n:09d}", *places[_country(n)][1:], begin)
                for n, car in enumerate(cars)
            ],
        )
    first = db.execute("select no from cars where id = %s", (cars[0],)).fetchone()
    assert first is not None
    return cars, people, first[0]


def _plates(db: psycopg.Connection[Any], found: Covers) -> None:
    rows = []
    for car in range(found.cars):
        no, country = found.first_no + car, found.insurer_of(car).country
        spans = (
            [(found.begin, found.changed), (found.changed, None)] if car % 10 == 0 else [(found.begin, None)]
        )
        rows += [(no, country, found.plate(car, begin), begin, end) for begin, end in spans]
    with db.cursor() as cursor:
        cursor.executemany(
            "insert into plates (car_no, country, normalised, from_at, to_at) values (%s, %s, %s, %s, %s)",
            rows,
        )


def _copy(dsn: str, found: Covers, cars: list[uuid.UUID], drivers: list[uuid.UUID], tell: Tell) -> None:
    """All cars' nth cover, then their next: as they were recorded. Keys are not checked: they are right."""
    with ExitStack() as stack:
        copies = []
        for table, columns in zip(TABLES, (_COVER, _VERSION, _FACT), strict=True):
            db = stack.enter_context(psycopg.connect(dsn))
            db.execute("set session_replication_role = replica")
            copies.append(stack.enter_context(db.cursor().copy(f"copy {table} ({columns}) from stdin")))
        each = _templates(found, cars)
        for n in range(found.each):
            lines = [_lines(found, each, drivers, n, car) for car in range(found.cars)]
            for copy, rows in zip(copies, zip(*lines, strict=True), strict=True):
                copy.write("".join(rows))
            if n % 100 == 99 or n + 1 == found.each:
                tell(f"{(n + 1) * found.cars:,} of {found.count:,} covers")


@dataclass(frozen=True, slots=True)
class _Template:
    """What all covers of a car and a plate have in common, in the forms of COPY."""

    cover: str
    insurer: str
    data: str


def _templates(found: Covers, cars: list[uuid.UUID]) -> dict[str, _Template]:
    """By plate. `%` stands for what each cover has of its own."""
    made = {}
    for car in range(found.cars):
        insurer = found.insurer_of(car)
        for at in {found.begin, found.changed}:
            plate = found.plate(car, at)
            known = {
                "car": {
                    "plate": plate,
                    "country": insurer.country,
                    "vin": f"WMECOVER{car:09d}",
                    "make": "smart",
                    "model": "EQ",
                },
                "insurer": f"Bench {insurer.country}",
                "master_policy": {"id": insurer.policy, "number": f"{insurer.country}-BENCH", "version": 1},
            }
            spans = {
                name: {"from": "%(a)s", "to": "%(b)s"} for name in ("liability", "own_damage", "planned")
            }
            own = {
                "id": "cov_%(id)s",
                "certificate": "crt_%(id)s",
                "from": "%(a)s",
                "to": "%(b)s",
                "recorded_at": "%(b)s",
            }
            data = json.dumps({**DATA, **known, **spans, **own}, separators=(",", ":"))
            cover = f"{found.first_no + car}\t{cars[car]}\t{insurer.id[4:]}\t{insurer.policy[4:]}"
            made[plate] = _Template(cover, insurer.id[4:], data)
    return made


def _lines(
    found: Covers, each: dict[str, _Template], drivers: list[uuid.UUID], n: int, car: int
) -> tuple[str, str, str]:
    """A cover, its version and its fact, each as one line of COPY."""
    begin = found.starts(car, n)
    a, b = _ms(begin), _ms(begin + LASTS)
    position = n * found.cars + car + 1
    one = each[found.plate(car, begin)]
    # As ids are made: by time, so that newer ones come after older ones in every index.
    key = f"{int(begin.timestamp() * 1000):012x}7{position % 4096:03x}8{position:015x}"
    rental = f"{key[:16]}9{key[17:]}"
    seq = position + 100_000
    cover = (
        f"{key}\t{key}\t{rental}\t{one.cover}\t{drivers[position % DRIVERS]}\tdrv\t{rental}\t{{}}\t1500000\tEUR\tclosed\t1"
        f"\t{b}\t{a}\t{b}\t{a}\t{b}\t{b}\t41943\t41967\t180\t180\t450\tbox strong\t1\t{b}\n"
    )
    data = one.data % {"id": key, "a": a, "b": b}
    version = f"{key}\t1\tcover.closed\t{seq}\t{b}\t{one.insurer}\tclosed\t{a}\t{b}\t{data}\n"
    digest = f"{position:064x}"
    bound = f'{{"cover":"cov_{key}","digest":"{digest}","rental":"ren_{rental}","version":1}}'
    fact = f"{seq}\tCoverClosed\t{bound}\t{b}\t{b}\t{position}\t{b}\t\\\\x{digest}\n"
    return cover, version, fact


def _ms(at: datetime) -> str:
    return f"{at.isoformat(timespec='milliseconds')[:23]}Z"
