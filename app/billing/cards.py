"""Cards of people: saved with the provider for later, shown by brand and last digits, forgotten on request."""

from app.kit.db import session


def usable(person: str, card: str | None) -> str | None:
    """Our id of a card that can be charged: the one named, else the person's latest; None where there is none."""
    raise NotImplementedError
