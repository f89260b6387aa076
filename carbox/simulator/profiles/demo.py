"""`DEMO`, a module of the real firmware for a box on the bench: the well-behaved car."""

from carbox.simulator.profiles.profile import Profile


class Demo(Profile):
    vehicle_type = "DEMO"
    lacks = frozenset()
