"""Entry point: settings -> real doors -> the app."""

from app.doors import Doors
from app.factory import create_app
from app.kit.config import Settings, from_environment
from app.kit.logs import configure

configure("app")
settings: Settings = from_environment()


def real_doors(house: Settings) -> Doors:
    """The doors that the settings name; a door without settings stays shut, and says so when used."""
    return Doors(insurers={}, payments=None, push=None, mail=None)


app = create_app(settings, real_doors(settings))
