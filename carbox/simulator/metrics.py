"""The car's state as the metrics of its OVMS module, in the firmware's spelling."""

import struct
from collections.abc import Iterable
from typing import Final

from carbox.simulator import power, travel
from carbox.simulator.car import DOORS, DRIVING_12V, HOME, REST_12V, Car
from carbox.simulator.ports import Ports
from carbox.simulator.profiles.profile import Profile

PERSISTED: Final = ("v.b.soc", "v.b.range.", "v.p.odometer", "v.e.locked", "v.e.on", "v.c.charging", "v.t.")
PERSISTED_PLACE: Final = ("v.p.latitude", "v.p.longitude")
"""What a box restores after a reboot: it may be days old."""
CHARGE_12V_A: Final = 8.0
RESTING_12V_A: Final = -0.02
MINUTE_S: Final = 60
NEAR_KM: Final = 0.1


def yes_no(value: bool) -> str:  # noqa: FBT001 - spells a flag
    return "yes" if value else "no"


def spelled(value: float) -> str:
    """C++ stream format: six significant digits, an exponent for large ones."""
    return f"{value:.6g}"


def listed(values: Iterable[float]) -> str:
    return ",".join(spelled(each) for each in values)


def dated(seconds: float) -> str:
    """A date goes through a 32-bit float: it comes in steps of 128 s."""
    return str(int(struct.unpack("f", struct.pack("f", seconds))[0]))


def metrics(profile: Profile) -> dict[str, str]:
    """All defined metrics; what the module does not know is missing."""
    car = profile.car
    known = _box(car, profile.ports) | _battery(car) | _charge(car) | _use(car) | _place(car) | _12v(car)
    known |= {f"v.d.{door}": yes_no(door in car.open_doors) for door in DOORS}
    known |= {
        "v.type": profile.vehicle_type,
        "v.vin": car.vin,
        "v.e.locked": yes_no(profile.locked()),
        "v.e.valet": yes_no(profile.valet_from is not None),
        "v.t.pressure": "206.8,216.4,210,212.2",
        "v.t.temp": "19,19,18,18",
        "v.t.health": "98,98,97,98",
        "v.t.alert": "0,0,0,0",
    }
    return profile.reported(known)


def _box(car: Car, ports: Ports) -> dict[str, str]:
    return {
        "s.v3.connected": "yes",
        "m.version": "3.3.006-sim/ota_0/main",
        "m.net.type": "modem",
        "m.net.sq": "-77" if car.fix is None else "-113",
        "m.time.utc": dated(car.clock.now()),
        "m.egpio.input": listed(ports.inputs()),
        "m.egpio.output": listed(sorted(ports.high)),
    }


def _battery(car: Car) -> dict[str, str]:
    km = car.range_km * car.percent / 100
    return {
        "v.b.soc": spelled(car.percent),
        "v.b.soh": "93",
        "v.b.range.est": spelled(km),
        "v.b.range.ideal": spelled(km * 1.2),
        "v.b.range.full": spelled(car.range_km),
        "v.b.capacity": spelled(car.capacity_kwh),
        "v.b.temp": "18",
        "v.b.energy.used": spelled(car.used_kwh),
        "v.b.energy.recd": spelled(car.recovered_kwh),
    }


def _charge(car: Car) -> dict[str, str]:
    flows = power.kilowatts(car)
    volts = (power.QUICK_VOLTS if car.quick else power.VOLTS) if car.charging else 0.0
    known = {
        "v.c.charging": yes_no(car.charging),
        "v.c.state": car.charge_state,
        "v.c.substate": car.charge_substate,
        "v.c.pilot": yes_no(car.plugged),
        "v.d.cp": yes_no(car.plugged),
        "v.c.type": ("chademo" if car.quick else "type2") if car.plugged else "undefined",
        "v.c.mode": car.charge_mode,
        "v.c.power": spelled(flows),
        "v.c.voltage": spelled(volts),
        "v.c.current": spelled(flows * 1000 / volts if volts else 0.0),
        "v.c.kwh": spelled(car.charged_kwh),
        "v.c.kwh.grid": spelled(car.charged_kwh * (1 + power.GRID_LOSS)),
        "v.c.duration.full": str(round(power.minutes_to_full(car))),
        "v.c.limit.soc": "100",
    }
    if car.charge_ended_at is not None:
        known["v.c.timestamp"] = dated(car.charge_ended_at)
    return {name: value for name, value in known.items() if value}


def _use(car: Car) -> dict[str, str]:
    now = car.clock.now()
    parked = 0 if car.on else int(now - car.parked_at) // MINUTE_S * MINUTE_S
    driven = car.drive_s + (now - car.on_since if car.on else 0.0)
    return {
        "v.p.odometer": spelled(car.odometer_km),
        "v.p.trip": spelled(car.trip_km),
        "v.e.drivetime": str(int(driven) // MINUTE_S * MINUTE_S),
        "v.e.parktime": str(parked),
        "v.e.on": yes_no(car.on),
        "v.e.awake": yes_no(car.awake),
        "v.e.gear": str(int(car.journey is not None)),
        "v.e.handbrake": yes_no(car.journey is None),
        "v.e.alarm": yes_no(car.alarm),
        "v.e.headlights": yes_no(car.on),
        "v.e.serv.range": spelled(max(0.0, 50_000 - car.odometer_km)),
        "v.e.serv.time": dated(car.parked_at // 86_400 * 86_400 + 200 * 86_400),
    }


def _place(car: Car) -> dict[str, str]:
    latitude, longitude = car.fix or (car.latitude, car.longitude)
    seen = car.fix is None
    at_home = travel.distance_km(HOME, (latitude, longitude)) < NEAR_KM
    known = {"v.p.location": "home"} if at_home else {}
    return known | {
        "v.p.latitude": f"{latitude:.6f}",
        "v.p.longitude": f"{longitude:.6f}",
        "v.p.gpslock": yes_no(seen),
        "v.p.gpssq": "86" if seen else "12",
        "v.p.gpshdop": "0.9" if seen else "18",
        "v.p.speed": spelled(travel.speed_kmh(car)),
    }


def _12v(car: Car) -> dict[str, str]:
    fed = car.on or car.charging
    return {
        "v.b.12v.voltage": spelled(round(car.volts_12, 2)),
        "v.b.12v.voltage.ref": spelled(REST_12V),
        "v.b.12v.voltage.alert": yes_no(car.volts_12 < power.ALERT_12V),
        "v.b.12v.current": spelled(CHARGE_12V_A if fed else RESTING_12V_A),
        "v.e.charging12v": yes_no(fed and car.volts_12 <= DRIVING_12V),
    }
