"""The car under way: odometer, charge and position move together; and what time does to it meanwhile."""

import math
from typing import Final

from carbox.simulator import power
from carbox.simulator.car import Car, Impossible, Journey

KM_PER_DEGREE: Final = 111.0
EARTH_KM: Final = 6371.0
RECOVERED: Final = 0.15


def settle(car: Car) -> None:
    """Bring the car to the present: its journey, its charge, its 12 V battery."""
    now = car.clock.now()
    passed, car.settled_at = now - car.settled_at, now
    _advance(car)
    power.elapse(car, passed)


def skip(car: Car, minutes: float) -> None:
    """As if so much time had gone by."""
    power.elapse(car, minutes * 60)
    if not car.on:
        car.parked_at -= minutes * 60


def drive(car: Car, km: float) -> None:
    """So far at once, somewhere. Raises Impossible when the charge does not last."""
    _check_charge(car, km)
    car.ignite(on=True)
    _gone(car, km)
    car.latitude += km / KM_PER_DEGREE / 50


def drive_to(car: Car, place: tuple[float, float], seconds: float) -> None:
    """Straight to a place in so many seconds of the car, 0 = at once; it stays on. Raises Impossible."""
    start = (car.latitude, car.longitude)
    km = distance_km(start, place)
    _check_charge(car, km)
    car.ignite(on=True)
    car.journey = Journey(start, place, km, car.clock.now(), seconds)
    _advance(car)


def park(car: Car) -> None:
    """Where it is by now: switched off, all doors closed. It is not locked."""
    _advance(car)
    car.ignite(on=False)
    car.open_doors.clear()


def put(car: Car, place: tuple[float, float]) -> None:
    """There, as if it had always stood there."""
    car.latitude, car.longitude = place
    car.left_at = car.journey = None


def tow(car: Car, place: tuple[float, float]) -> None:
    """Carried away. Raises Impossible for a car that is on."""
    if car.on:
        raise Impossible("a car that is on drives")
    car.left_at = car.left_at or (car.latitude, car.longitude)
    car.latitude, car.longitude = place


def carried_km(car: Car) -> float:
    """How far from where it was parked it stands now without having driven."""
    return distance_km(car.left_at, (car.latitude, car.longitude)) if car.left_at else 0.0


def speed_kmh(car: Car) -> float:
    way = car.journey
    return way.km / way.takes_s * 3600 if way and way.takes_s else 0.0


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """On a ball of the earth's size."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = (
        math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(math.sqrt(half))


def _advance(car: Car) -> None:
    way = car.journey
    if way is None:
        return
    passed = car.clock.now() - way.began_at
    share = 1.0 if passed >= way.takes_s else passed / way.takes_s
    here = (car.latitude, car.longitude)
    car.latitude = way.start[0] + (way.end[0] - way.start[0]) * share
    car.longitude = way.start[1] + (way.end[1] - way.start[1]) * share
    _gone(car, distance_km(here, (car.latitude, car.longitude)))
    if share == 1.0:
        car.journey = None


def _check_charge(car: Car, km: float) -> None:
    if km / car.range_km * 100 > car.percent:
        raise Impossible("not enough charge")


def _gone(car: Car, km: float) -> None:
    used = km / car.range_km * 100
    car.percent = max(0.0, car.percent - used)
    car.used_kwh += used / 100 * car.capacity_kwh
    car.recovered_kwh += used / 100 * car.capacity_kwh * RECOVERED
    car.odometer_km += km
    car.trip_km += km
