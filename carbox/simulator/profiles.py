"""How the cars differ: which commands their module has, and which of its readings are to be believed."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Profile:
    """One OVMS vehicle module. `echoes_lock`: `v.e.locked` follows the command, not the car."""

    vehicle_type: str
    capacity_kwh: float
    range_km: float
    native_doors: bool = True
    checks_pin: bool = True
    echoes_lock: bool = False
    cool_down_s: float = 0.0
    charge_control: bool = False
    climate: bool = False
    valet: bool = True
    tyres: bool = True
    missing_doors: tuple[str, ...] = ()
    shares_other_doors: bool = False
    charge_words: tuple[str, str] = ("type2", "standard")
    port_is_charging: bool = False


PROFILES: Final = {
    "DEMO": Profile("DEMO", 60.0, 380.0, charge_control=True, climate=True),
    "ZOE2": Profile("RZ2", 52.0, 350.0, charge_control=True, climate=True),
    "SQ": Profile(
        "SQ",
        17.6,
        130.0,
        checks_pin=False,
        echoes_lock=True,
        cool_down_s=10.0,
        climate=True,
        valet=False,
        missing_doors=("hood",),
    ),
    "SE": Profile(
        "SE",
        17.6,
        130.0,
        checks_pin=False,
        echoes_lock=True,
        climate=True,
        tyres=False,
        missing_doors=("rl", "rr", "hood"),
    ),
    "MI": Profile(
        "MI",
        14.5,
        100.0,
        native_doors=False,
        tyres=False,
        shares_other_doors=True,
        charge_words=("Standard", "Type1"),
        port_is_charging=True,
    ),
}
