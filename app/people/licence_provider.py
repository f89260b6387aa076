"""What we would ask of a provider that checks driving licences; until one is chosen, owners and operators look."""

from datetime import date
from typing import Protocol


class LicenceProvider(Protocol):
    """Checks a licence against its register or its picture."""

    def check(self, *, number: str, country: str, birth_date: date, expires_on: date) -> bool:
        """True when the licence is genuine and its holder may drive.

        Raises an error with `temporary` when the provider cannot say now.
        """
        ...
