"""The car's state as the metrics of its OVMS module, in the firmware's spelling."""

import time

from carbox.simulator.car import DOORS, Car

PORTS = range(10)


def yes_no(value: bool) -> str:  # noqa: FBT001 - spells a flag
    return "yes" if value else "no"


def spelled(value: float) -> str:
    """C++ stream format: six significant digits."""
    return f"{value:.6g}"


def metrics(car: Car) -> dict[str, str]:
    """All defined metrics; what the module does not know is missing."""
    car.settle()
    km = car.profile.range_km * car.percent / 100
    known = {
        "s.v3.connected": "yes",
        "m.version": "3.3.006-sim/ota_0/main",
        "m.net.type": "modem",
        "m.net.sq": "-77",
        "m.time.utc": str(int(time.time()) // 128 * 128),
        "m.egpio.input": ",".join(str(port) for port in PORTS if car.input_level(port)),
        "m.egpio.output": ",".join(str(port) for port in PORTS if port in car.outputs),
        "v.type": car.profile.vehicle_type,
        "v.vin": car.vin,
        "v.b.soc": spelled(car.percent),
        "v.b.soh": "93",
        "v.b.range.est": spelled(km),
        "v.b.range.ideal": spelled(km * 1.2),
        "v.b.12v.voltage": spelled(car.volts_12),
        "v.p.odometer": spelled(car.odometer_km),
        "v.p.trip": spelled(car.trip_km),
        "v.p.latitude": f"{car.latitude:.6f}",
        "v.p.longitude": f"{car.longitude:.6f}",
        "v.p.gpslock": "yes",
        "v.p.speed": "0",
        "v.e.on": yes_no(car.on),
        "v.e.awake": yes_no(
            car.on or car.charging or not car.seen_locked or time.monotonic() < car.awake_until
        ),
        "v.e.locked": yes_no(car.seen_locked),
    }
    return known | _doors(car) | _charge(car) | _further(car)


def _doors(car: Car) -> dict[str, str]:
    others = bool(car.open_doors - {"fl", "hood"})
    return {
        f"v.d.{door}": yes_no(
            others
            if car.profile.shares_other_doors and door not in {"fl", "hood"}
            else door in car.open_doors
        )
        for door in DOORS
        if door not in car.profile.missing_doors
    }


def _charge(car: Car) -> dict[str, str]:
    kind, mode = car.profile.charge_words
    return {
        "v.c.charging": yes_no(car.charging),
        "v.c.state": car.charge_state,
        "v.c.pilot": yes_no(car.plugged),
        "v.d.cp": yes_no(car.charging if car.profile.port_is_charging else car.plugged),
        "v.c.type": kind if car.plugged else ("None" if kind == "Standard" else "undefined"),
        "v.c.mode": mode,
    }


def _further(car: Car) -> dict[str, str]:
    known = {}
    if car.profile.tyres:
        known["v.t.pressure"] = "206.8,216.4,210,212.2"
    if car.profile.valet:
        known["v.e.valet"] = yes_no(car.valet)
    return known
