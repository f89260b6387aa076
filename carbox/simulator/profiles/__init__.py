"""The cars by the name of their OVMS module: which commands it has, and what of its readings is to be believed."""

from typing import Final

from carbox.simulator.profiles.c_zero import CZero
from carbox.simulator.profiles.demo import Demo
from carbox.simulator.profiles.nothing import Nothing
from carbox.simulator.profiles.profile import Profile
from carbox.simulator.profiles.smart_ed import SmartEd
from carbox.simulator.profiles.smart_eq import SmartEq
from carbox.simulator.profiles.zoe import Zoe

PROFILES: Final[dict[str, type[Profile]]] = {
    "DEMO": Demo,
    "ZOE2": Zoe,
    "SQ": SmartEq,
    "SE": SmartEd,
    "MI": CZero,
    "NONE": Nothing,
}
