"""Which insurer is told of the covers in which country, from the settings."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from insurance.http_partner import HttpInsurer
from insurance.partner import Insurer
from insurance.partner_sign_in import BearerToken, ClientCredentials, SignIn
from insurance.reader import Fields, Invalid, country, number, several, text

_ID = re.compile("ins_[0-9a-f]{32}")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class PartnersInvalid(Invalid):
    """The settings cannot be used; `errors` are (JSON pointer, reason)."""


@dataclass(frozen=True, slots=True)
class Partners:
    """The insurers with an API of their own; one without reads ours and acknowledges there.

    `named` is by country and insurer's id, for who changes the insurer of a country: none is told of another's covers.
    """

    by_country: Mapping[str, Insurer]
    named: Mapping[tuple[str, str], Insurer] = field(default_factory=dict)

    def each(self) -> dict[str, Insurer]:
        """Every door once, under a name of its own: a country, or an insurer's id."""
        found: dict[int, tuple[str, Insurer]] = {}
        names = [*self.by_country.items(), *((insurer, door) for (_, insurer), door in self.named.items())]
        for name, door in sorted(names, key=itemgetter(0)):
            found.setdefault(id(door), (name, door))
        return dict(found.values())


def partners_of(settings: Iterable[Mapping[str, Any]]) -> Partners:
    """Read a list of {countries, url, insurer?} with {token} or {token_url, client_id, client_secret, scope?}.

    `insurer` is the id of whom it is; without one it is whoever is the insurer of the country. `connect_timeout` and
    `read_timeout` are seconds. PartnersInvalid names every mistake with its place.
    """
    errors: list[tuple[str, str]] = []
    found: dict[str, Insurer] = {}
    named: dict[tuple[str, str], Insurer] = {}
    for place, entry in enumerate(settings):
        fields = Fields(entry, f"/{place}", errors)
        countries = fields.take("countries", several(country), frozenset())
        name = fields.take("insurer", _insurer_id, "")
        insurer = _insurer(fields)
        fields.end()
        for code in sorted(countries):
            if (code, name) in named if name else code in found:
                fields.note("countries", f"{code} has a partner already")
            elif insurer is not None and name:
                named[code, name] = insurer
            elif insurer is not None:
                found[code] = insurer
    if errors:
        raise PartnersInvalid(errors)
    return Partners(MappingProxyType(found), MappingProxyType(named))


def _insurer_id(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError("is to be an insurer's id, as the command that adds one prints it")
    return value


def _insurer(fields: Fields) -> Insurer | None:
    url = fields.take("url", _safe_url, "")
    connect = fields.take("connect_timeout", number(1, 60), 3)
    timeout = (float(connect), float(fields.take("read_timeout", number(1, 120), 10)))
    token = fields.take("token", text, "")
    token_url = fields.take("token_url", _safe_url, "")
    client = fields.take("client_id", text, ""), fields.take("client_secret", text, "")
    scope = fields.take("scope", text, "")
    if not url:
        fields.note("url", "is missing")
        return None
    if bool(token) is bool(token_url):
        fields.note("token", "give either token, or token_url with client_id and client_secret")
        return None
    if token_url and not all(client):
        fields.note("client_id", "token_url needs client_id and client_secret")
        return None
    sign_in: SignIn = BearerToken(token)
    if token_url:
        sign_in = ClientCredentials(
            token_url=token_url, client_id=client[0], client_secret=client[1], scope=scope, timeout=timeout
        )
    return HttpInsurer(url, sign_in, timeout=timeout)


def _safe_url(value: Any) -> str:
    parts = urlsplit(text(value))
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return str(value)
    raise ValueError("is to be https: covers and secrets do not travel in the clear")
