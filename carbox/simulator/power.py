"""Charge and 12 V: plugging in, charging, and what rests and fails."""

from typing import Final

from carbox.simulator.car import REST_12V, Car, Impossible

CHARGE_KW: Final = 7.4
QUICK_KW: Final = 50.0
VOLTS: Final = 230.0
QUICK_VOLTS: Final = 400.0
CHARGING_12V: Final = 13.6
GRID_LOSS: Final = 0.1
EMPTY_12V: Final = 5.0
ALERT_12V: Final = 11.5
"""The limits of the alerts are our own: the sheet names the alerts and gives no figures."""
LOW_12V: Final = 11.0
OFF_12V: Final = 10.5
LOW_PERCENT: Final = 5.0
RESTING_LOSS_PER_S: Final = 0.0001 / 60


def plug(car: Car, *, plugged: bool, quick: bool = False) -> None:
    """A charge begins with the plug, and is interrupted by pulling it. Raises Impossible while the car is on."""
    if plugged and car.on:
        raise Impossible("the car is on")
    if not plugged:
        charge(car, start=False, substate="interrupted")
    car.plugged, car.quick = plugged, plugged and quick
    car.stir()
    if plugged:
        charge(car, start=True, substate="onrequest")


def charge(car: Car, *, start: bool, substate: str) -> None:
    """Start or stop what is plugged in; `substate` says why."""
    was, car.charging = car.charging, start and car.plugged and car.percent < 100
    if car.charging and not was:
        car.charge_state, car.charge_substate, car.charged_kwh = "charging", substate, 0.0
        car.volts_12 = CHARGING_12V
        car.contactor_cycles += 1
    elif was and not car.charging:
        _ended(car, "stopped", substate)


def _ended(car: Car, state: str, substate: str) -> None:
    car.charging, car.charge_state, car.charge_substate = False, state, substate
    car.charge_ended_at, car.volts_12 = car.clock.now(), REST_12V


def kilowatts(car: Car) -> float:
    """What flows into the battery now."""
    if not car.charging:
        return 0.0
    return QUICK_KW if car.quick else min(CHARGE_KW, car.charge_limit_a * VOLTS / 1000)


def minutes_to_full(car: Car) -> float:
    flows = kilowatts(car)
    return (100 - car.percent) / 100 * car.capacity_kwh / flows * 60 if flows else 0.0


def elapse(car: Car, seconds: float) -> None:
    """Charging goes on; a resting 12 V battery loses a little."""
    if car.charging:
        room = (100 - car.percent) / 100 * car.capacity_kwh
        kwh = min(kilowatts(car) * seconds / 3600, room)
        car.charged_kwh += kwh
        car.percent = min(100.0, car.percent + kwh / car.capacity_kwh * 100)
        if kwh == room:
            car.percent = 100.0
            _ended(car, "done", "")
    elif not car.on:
        car.volts_12 = max(EMPTY_12V, car.volts_12 - RESTING_LOSS_PER_S * seconds)


def charge_for(car: Car, minutes: float) -> None:
    """Plug in where it is not, and charge so long at once. Raises Impossible while the car is on."""
    if not car.plugged:
        plug(car, plugged=True)
    charge(car, start=True, substate="onrequest")
    elapse(car, minutes * 60)


def drain(car: Car, volts: float) -> None:
    """Let the 12 V battery sag or recover to so many volts. Raises Impossible while something charges it."""
    if car.on or car.charging:
        raise Impossible("the 12 V battery is being charged")
    car.volts_12 = max(EMPTY_12V, volts)
