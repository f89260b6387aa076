"""The certificate for the roadside: a page with the facts a police officer asks for, and codes that prove them."""

from datetime import datetime
from functools import partial
from html import escape
from pathlib import Path

import segno
from babel import Locale

from app.coverage import certificate
from app.coverage.certificate import Standing
from app.kit import locales, wording
from app.kit.db import session
from app.kit.keys import settings
from app.kit.paper import Paper
from app.people.models import Person
from insurance.certificate import CertificateFacts

_TEXTS = Path(__file__).parent / "texts"
_CODE, _SHORT = 190.0, 90.0


def say(key: str, locale: Locale, **values: object) -> str:
    return wording.words(_TEXTS, locale.language)[key].format(**values)


def on_paper(person: str, cover_id: str) -> bytes:
    """The certificate of one's cover as a PDF in the reader's language. Raises NotFound."""
    cover = certificate.of_driver(person, cover_id)
    facts = certificate.facts_of(cover)
    driver = session.get_one(Person, person)
    locale = locales.of_reader(driver.language, driver.country)
    zone = certificate.zone_of(cover)
    paper = Paper(say("title", locale), str(locale).replace("_", "-"))
    paper.heading(say("title", locale))
    paper.space()
    for name, value in _lines(facts, locale, zone):
        paper.pair(say(name, locale), value)
    paper.rule()
    paper.text(f"{say('liability', locale)} {say('all_times', locale, zone=zone)}")
    paper.space()
    base = settings().public_url.rstrip("/")
    there = f"{base}/verify/{cover.certificate_id}"
    paper.code(_matrix(there), say("online", locale, url=there), side=_SHORT)
    paper.space()
    paper.code(
        _matrix(certificate.signed(facts)),
        say("offline", locale, keys=f"{base}/.well-known/jwks.json"),
        side=_CODE,
    )
    return paper.done()


def _lines(facts: CertificateFacts, locale: Locale, zone: str) -> list[tuple[str, str]]:
    """What the French memo of insurance names, and what a cover by the hour needs besides."""
    when = partial(_when, locale=locale, zone=zone)
    return [
        ("insurer", f"{facts.insurer}, {facts.insurer_address}"),
        ("contract", facts.policy_number),
        ("policyholder", facts.policyholder),
        ("plate", f"{facts.plate} ({facts.country})"),
        ("car", f"{facts.make} {facts.model}"),
        *([("named_drivers", str(len(facts.named_drivers)))] if facts.named_drivers else []),
        ("from", when(facts.liability.from_at)),
        ("to", when(facts.liability.to_at)),
        ("own_damage", when(facts.own_damage.to_at)),
        ("issued", when(facts.issued_at)),
        ("territory", " ".join(facts.territory)),
        ("certificate", facts.certificate),
    ]


def _when(at: datetime | None, *, locale: Locale, zone: str) -> str:
    return say("open", locale) if at is None else locales.moment(at, locale, zone)


def _matrix(text: str) -> list[bytearray]:
    return [bytearray(line) for line in segno.make(text, error="m", micro=False, boost_error=False).matrix]


def page(certificate_id: str) -> str:
    """What became of a certificate as a page for whoever scanned it; no names. Raises NotFound."""
    cover = certificate.named(certificate_id)
    found, zone = certificate.standing(cover), certificate.zone_of(cover)
    locale = locales.of_reader("en", "GB")
    rows = [("certificate", found["certificate"]), *_spans(found, locale, zone)]
    listed = "".join(f"<dt>{escape(say(name, locale))}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    status = found["status"]
    checked = say("checked", locale, at=_when(found["checked_at"], locale=locale, zone=zone))
    return _PAGE.format(
        language=escape(str(locale).replace("_", "-")),
        title=escape(say("title", locale)),
        status=escape(status),
        word=escape(say(f"status.{status}", locale)),
        about=escape(say(f"about.{status}", locale)),
        rows=listed,
        foot=escape(f"{checked}. {say('all_times', locale, zone=zone)}"),
    )


def _spans(found: Standing, locale: Locale, zone: str) -> list[tuple[str, str]]:
    if found["status"] == "void":
        return []
    when = partial(_when, locale=locale, zone=zone)
    liability, own_damage = found["liability"], found["own_damage"]
    return [
        ("from", when(liability["from_"])),
        ("to", when(liability["to"])),
        ("own_damage", when(own_damage["to"])),
    ]


_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:2em auto;padding:0 1em;color:#111}}
.status{{padding:.8em 1em;border-left:.5em solid #888;background:#f3f3f3}}
.in_force{{border-color:#177245;background:#e9f6ee}}.conditional{{border-color:#b8860b;background:#fdf6e3}}
.status b{{font-size:1.5em;display:block}}dt{{color:#555;margin-top:.6em}}dd{{margin:0}}small{{color:#555}}
</style></head><body><h1>{title}</h1><p class="status {status}"><b>{word}</b>{about}</p>
<dl>{rows}</dl><small>{foot}</small></body></html>
"""
