"""`DEMO`, a module of the real firmware for a box on the bench: the well-behaved car."""

from carbox.simulator.profiles.profile import Outcome, Profile


class Demo(Profile):
    vehicle_type = "DEMO"

    def homelink(self, number: int) -> Outcome:
        del number
        return Outcome.DONE
