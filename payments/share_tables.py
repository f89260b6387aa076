"""Who gets what of a payment, by the country of the car: figures of the product, frozen with each quote.

The parts are contained in what the driver pays. Taxed is the platform's service, at the standard rate of the car's
country; the rent of a private owner is not, nor is the insurer's part (insurance is exempt under article 135(1)(a) of
Directive 2006/112/EC and its like in GB and CH). Rates: ADR 0033.
"""

from collections.abc import Mapping
from types import MappingProxyType

from payments.split import WHOLE, ShareTable

VAT_RATES: Mapping[str, int] = MappingProxyType(
    {
        "FR": 2000,
        "DE": 1900,
        "BE": 2100,
        "IT": 2200,
        "ES": 2100,
        "PT": 2300,
        "NL": 2100,
        "AT": 2000,
        "GB": 2000,
        "CH": 810,
    }
)
"""Country (ISO 3166-1 alpha-2) to its standard rate in hundredths of a percent."""
SHARES: Mapping[str, ShareTable] = MappingProxyType(
    {country: ShareTable(insurer=1000, platform=1500, vat_rate=rate) for country, rate in VAT_RATES.items()}
)
"""10 % for the insurer and 15 % for the platform, its tax contained, everywhere; the owner has the rest. To be agreed
with insurers and accountants before going live; a country whose figures differ gets a line of its own."""
UNSTATED = ShareTable(insurer=1000, platform=1500, vat_rate=2000)
"""What holds for a payment that was planned before tables were frozen."""
UNDIVIDED = ShareTable(insurer=0, platform=0)
"""What a charge request brings makes a loss good: it is the owner's alone."""
NOBODYS = ShareTable(insurer=0, platform=WHOLE)
"""What was paid twice earns nobody anything: the platform has it until it is given back."""


def of(country: str) -> ShareTable:
    """The table that is in force for cars of a country we serve."""
    return SHARES[country]
