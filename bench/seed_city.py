"""Cities of people who share cars: written by COPY, each table in the order of its ids.

Half of the cars are in family circles of five people: the first of them owns one car, in each fourth circle two. The
other half are lent in city pools by members. Everyone else is in one pool, as many as it takes in a second one. Each car
has 15 bookings in the month ahead; of a booking only its slot is written, which is what searches and bookings look at.
"""

import json
import math
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from app.kit.listen import conninfo
from app.supervisor import Supervisor
from bench.bulk import Tell, copy, settled, without_indexes
from bench.prices import TERMS
from bench.scale import Scale
from bench.seed import insured

SEEDED = "city.json"
_CAR = (
    "id, no, owner_id, plate, vin, make, model, powertrain, seats, country, time_zone, home_lat, home_lon, home_label, blur_lat,"
    " blur_lon, unsafe, barred, made_at, first_registration, inspection_until, declared_value"
)
_BOX = (
    "id, car_id, kind, username, vehicle, password_hash, has_immobiliser, key_sensor, config, connected, state, capabilities,"
    " told_charge_low, told_offline, made_at, last_heard_at, loaded_at"
)
_PERSON = "id, name, email, email_key, email_confirmed_at, password_hash, language, country, time_zone, birth_date, operator, made_at"
CIRCLE, CIRCLES, CIRCLE_CARS = 5, 4, 5
"""People of a circle; of four circles three have one car and one has two: five in all."""
BOOKED, MONTH = 15, 31
HOURS, LASTS = (6, 9, 12, 15, 18), timedelta(hours=2)
"""When a booking may begin, UTC; they leave each other room."""
OFFERED_DAYS = 90
TABLES = ("people", "memberships", "occupancy")
PERSON, COMMUNITY, MEMBERSHIP, CAR, BOX, WINDOW, BOOKING = range(7)


@dataclass(frozen=True, slots=True)
class City:
    """What was written; everything in it is known by its number."""

    begin: datetime
    cars: int
    people: int
    memberships: int
    pools: int
    pool_cars: int

    @property
    def circle_cars(self) -> int:
        return self.cars // 2 // CIRCLE_CARS * CIRCLE_CARS

    @property
    def circles(self) -> int:
        return self.circle_cars // CIRCLE_CARS * CIRCLES

    @property
    def in_circles(self) -> int:
        """People; those with higher numbers are in pools."""
        return self.circles * CIRCLE

    def id_of(self, kind: int, n: int) -> uuid.UUID:
        """As ids are made: by time, so that newer ones come after older ones in every index."""
        ms = int((self.begin - timedelta(days=400)).timestamp() * 1000) + n
        return uuid.UUID(f"{ms:012x}7{kind:03x}8{n:015x}")

    def community(self, n: int) -> uuid.UUID:
        """The pools first, then the circles."""
        return self.id_of(COMMUNITY, n)

    def community_of(self, car: int) -> int:
        """The number of the community a car is shared with."""
        if car < self.circle_cars:
            four, rest = divmod(car, CIRCLE_CARS)
            return self.pools + four * CIRCLES + min(rest, CIRCLES - 1)
        k = car - self.circle_cars
        return 0 if k < self.pool_cars else 1 + (k - self.pool_cars) % (self.pools - 1)

    def owner_of(self, car: int) -> int:
        """The first of the circle, or a member of the pool."""
        where = self.community_of(car)
        if where >= self.pools:
            return (where - self.pools) * CIRCLE
        return self.in_circles + where + self.pools * ((car - self.circle_cars) % self._owners)

    @property
    def _owners(self) -> int:
        return (self.people - self.in_circles) // self.pools // 2

    def pool_of(self, person: int) -> int:
        return (person - self.in_circles) % self.pools

    def place(self, n: int, where: int) -> tuple[float, float]:
        """The nth place of a community: within 8 km of the middle of its city."""
        lat, lon = self.middle(where)
        far, turn = 0.07 * math.sqrt(n * 0.6180339 % 1), n * 2.399963
        return round(lat + far * math.cos(turn), 5), round(lon + 1.4 * far * math.sin(turn), 5)

    def middle(self, where: int) -> tuple[float, float]:
        city = where % self.pools
        return 43.5 + city % 6, -1.0 + 1.3 * (city // 6)

    def slot(self, day: int, n: int) -> datetime:
        return self.begin + timedelta(days=day, hours=HOURS[n % len(HOURS)])


def seed_city(place: Supervisor, scale: Scale, tell: Tell) -> City:
    """Write it, unless the place's folder has it of an earlier run."""
    if (kept := read(place.folder)) is not None:
        return kept
    dsn = conninfo(place.database_url)
    insured(place, dsn)
    begin = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = City(
        begin, scale.city_cars, scale.city_people, scale.city_memberships, scale.pools, scale.pool_cars
    )
    with without_indexes(dsn, TABLES, tell):
        for table, columns, lines in _tables(found):
            copy(dsn, table, columns, lines, tell)
    with psycopg.connect(dsn) as db:
        db.execute("select setval(pg_get_serial_sequence('cars', 'no'), %s)", (found.cars,))
    settled(dsn, tell)
    (place.folder / SEEDED).write_text(json.dumps(asdict(found), default=str), "utf-8")
    return found


def read(folder: Path) -> City | None:
    """What is there, while its month of bookings lies ahead."""
    file = folder / SEEDED
    if not file.exists():
        return None
    kept = json.loads(file.read_text("utf-8"))
    found = City(**{**kept, "begin": datetime.fromisoformat(kept["begin"])})
    return found if datetime.now(UTC) - found.begin < timedelta(days=2) else None


def _tables(city: City) -> Iterator[tuple[str, str, Iterator[str]]]:
    yield "people", _PERSON, _people(city)
    yield "communities", "id, name, kind, rules, made_by, made_at", _communities(city)
    yield "memberships", "id, community_id, person_id, role, fare, blocked, made_at", _memberships(city)
    yield "cars", _CAR, _cars(city)
    yield "plates", "car_no, country, normalised, from_at", _plates(city)
    yield "car_shares", "car_id, community_id, shared_at", _shares(city)
    yield "terms", "car_id, community_id, version, data, made_by, made_at", _terms(city)
    yield "windows", "id, car_id, from_local, to_local, rrule, exdates, rdates", _windows(city)
    yield "offers", "car_no, spans, until", _offers(city)
    yield "custody", "car_no, holder, person_id, from_at", _custody(city)
    yield "boxes", _BOX, _boxes(city)
    yield "occupancy", "car_no, kind, ref, from_at, to_at", _bookings(city)


def _people(city: City) -> Iterator[str]:
    at = city.begin.isoformat()
    for n in range(city.people):
        mail = f"m{n}@bench.example"
        yield f"{city.id_of(PERSON, n)}\tMember {n}\t{mail}\t{mail}\t{at}\t-\ten\tFR\tEurope/Paris\t1990-04-02\tf\t{at}\n"


def _communities(city: City) -> Iterator[str]:
    at, rules = city.begin.isoformat(), json.dumps({"approval": "never", "days_ahead": 365})
    for n in range(city.pools):
        yield f"{city.community(n)}\tPool {n}\tpool\t{rules}\t{city.id_of(PERSON, city.in_circles + n)}\t{at}\n"
    for n in range(city.circles):
        maker = city.id_of(PERSON, n * CIRCLE)
        yield f"{city.community(city.pools + n)}\tCircle {n}\tcircle\t{rules}\t{maker}\t{at}\n"


def _memberships(city: City) -> Iterator[str]:
    """Everybody's first one, then the second ones."""
    at = city.begin.isoformat()
    for n in range(city.memberships):
        if n < city.in_circles:
            person, where, fare = n, city.pools + n // CIRCLE, "free"
            role = "driver" if n % CIRCLE else "owner"
        elif n < city.people:
            person, where, fare = n, city.pool_of(n), "priced"
            role = "owner" if n < city.in_circles + city.pools else "driver"
        else:
            person, fare, role = city.in_circles + n - city.people, "priced", "driver"
            where = (city.pool_of(person) + 1 + person // city.pools % (city.pools - 1)) % city.pools
        yield (
            f"{city.id_of(MEMBERSHIP, n)}\t{city.community(where)}\t{city.id_of(PERSON, person)}\t{role}\t{fare}\tf\t{at}\n"
        )


def _cars(city: City) -> Iterator[str]:
    at, worth = city.begin.isoformat(), json.dumps({"amount": 1_500_000, "currency": "EUR"})
    for n in range(city.cars):
        lat, lon = city.place(n, city.community_of(n))
        yield (
            f"{city.id_of(CAR, n)}\t{n + 1}\t{city.id_of(PERSON, city.owner_of(n))}\tBE{n:05d}\tWMEBENCH{n:09d}\tsmart\tEQ\telectric"
            f"\t{(2, 4, 5)[n % 3]}\tFR\tEurope/Paris\t{lat}\t{lon}\t\t0.1\t0.1\tf\tf\t{at}\t2024-01-01\t2040-01-01\t{worth}\n"
        )


def _plates(city: City) -> Iterator[str]:
    at = (city.begin - timedelta(days=900)).isoformat()
    return (f"{n + 1}\tFR\tBE{n:05d}\t{at}\n" for n in range(city.cars))


def _shares(city: City) -> Iterator[str]:
    at = city.begin.isoformat()
    return (f"{city.id_of(CAR, n)}\t{city.community(city.community_of(n))}\t{at}\n" for n in range(city.cars))


def _terms(city: City) -> Iterator[str]:
    """Ten tariffs: cars that cost the same are usual, all the same are not."""
    at = city.begin.isoformat()
    written = [json.dumps({**TERMS, "hour": 400 + 50 * n}) for n in range(10)]
    for n in range(city.cars):
        car, where = city.id_of(CAR, n), city.community(city.community_of(n))
        yield f"{car}\t{where}\t1\t{written[n % 10]}\t{city.id_of(PERSON, city.owner_of(n))}\t{at}\n"


def _windows(city: City) -> Iterator[str]:
    """Every second car is offered all the time, the others by day."""
    first, last = (city.begin + timedelta(days=days) for days in (-2, OFFERED_DAYS))
    for n in range(city.cars):
        begins, ends, rule = (
            (f"{first:%F} 00:00", f"{last:%F} 00:00", r"\N")
            if n % 2
            else (f"{first:%F} 06:00", f"{first:%F} 23:00", "FREQ=DAILY")
        )
        yield f"{city.id_of(WINDOW, n)}\t{city.id_of(CAR, n)}\t{begins}\t{ends}\t{rule}\t[]\t[]\n"


def _offers(city: City) -> Iterator[str]:
    days = [city.begin + timedelta(days=n) for n in range(-2, OFFERED_DAYS)]
    whole = f"{{[{days[0].isoformat()},{days[-1].isoformat()})}}"
    daily = ",".join(f"[{day:%F} 05:00+00,{day:%F} 21:00+00)" for day in days)
    return (
        f"{n + 1}\t{whole if n % 2 else '{' + daily + '}'}\t{days[-1].isoformat()}\n"
        for n in range(city.cars)
    )


def _custody(city: City) -> Iterator[str]:
    at = (city.begin - timedelta(days=900)).isoformat()
    return (f"{n + 1}\towner\t{city.id_of(PERSON, city.owner_of(n))}\t{at}\n" for n in range(city.cars))


def _boxes(city: City) -> Iterator[str]:
    at = city.begin.isoformat()
    for n in range(city.cars):
        yield (
            f"{city.id_of(BOX, n)}\t{city.id_of(CAR, n)}\tsimulator\tbench-{n}\tv\t$7$1$AA==$AA==\tt\tt\t{{}}\tt\t{{}}\t{{}}\tf\tf"
            f"\t{at}\t{at}\t{at}\n"
        )


def _bookings(city: City) -> Iterator[str]:
    """Every other day, one of the hours; as they were made: the nth of every car, then their next."""
    for k in range(BOOKED):
        for car in range(city.cars):
            begins = city.slot(1 + 2 * k + car % 2, car // 2 + k)
            ref = f"ren_{city.id_of(BOOKING, k * city.cars + car).hex}"
            yield f"{car + 1}\trental\t{ref}\t{begins.isoformat()}\t{(begins + LASTS).isoformat()}\n"
