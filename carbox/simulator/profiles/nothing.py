"""A box for which no vehicle module is chosen: it knows itself, its ports and its place, and no car."""

from typing import Final

from carbox.simulator.profiles.profile import Profile

OWN: Final = ("m.", "s.", "v.b.12v.", "v.p.latitude", "v.p.longitude", "v.p.gps", "v.p.speed")


class Nothing(Profile):
    """Every command that needs a car fails; the relays still work."""

    selected = False

    def reported(self, known: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in known.items() if name.startswith(OWN)}
