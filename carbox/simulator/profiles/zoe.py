"""Renault Zoe phase 2: a real car that behaves; locks, compares the PIN."""

from carbox.simulator.profiles.profile import Profile


class Zoe(Profile):
    vehicle_type = "RZ2"
    capacity_kwh = 52.0
    range_km = 350.0
