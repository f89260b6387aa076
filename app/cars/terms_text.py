"""A version of the terms as its reader reads it: a line for each rule, from data alone, in the words of their language."""

from collections.abc import Iterator
from typing import Any

from babel import Locale

from app.kit import i18n, locales


def of(data: dict[str, Any], fare: str | None = None) -> str:
    """All lines, each a sentence or "what: how much"; `fare`: to whom it is known what they pay, only that is said."""
    locale = locales.locale_of(locales.asked() or i18n.reader(), None)
    known = {**_SINCE, **data}
    lines = [*_price(known, fare, locale), *_changes(known, fare, locale), *_rules(known)]
    return "\n".join([*lines, *([known["note"]] if known["note"] else [])])


_SINCE: dict[str, Any] = {"per_kwh": 0, "note": ""}
"""What terms from before these were kept had not."""


def _money(data: dict[str, Any], name: str, locale: Locale) -> str:
    return locales.money({"amount": data[name], "currency": data["currency"]}, locale)


def _costs(data: dict[str, Any], fare: str | None) -> bool:
    return data["currency"] is not None and fare != "free"


def _price(data: dict[str, Any], fare: str | None, locale: Locale) -> Iterator[str]:
    """What driving costs, and what is held or asked beside it."""
    if not _costs(data, fare):
        yield i18n.say("terms.free")
        return
    if fare != "at_cost":
        yield from _time(data, locale)
    further = fare != "at_cost" and data["km_included_per_day"]
    for name, key in (
        ("per_km", "terms.per_km.further" if further else "terms.per_km"),
        ("per_kwh", "terms.per_kwh"),
        *((("minimum", "terms.minimum"),) if fare != "at_cost" else ()),
    ):
        if data[name]:
            yield i18n.say(key, price=_money(data, name, locale))
    if fare is None:
        yield i18n.say("terms.at_cost")
    for name, key in (
        ("deposit", "terms.deposit"),
        ("cleaning", "terms.cleaning"),
        ("refuel", "terms.refuel"),
    ):
        if data[name]:
            yield i18n.say(key, price=_money(data, name, locale))


def _time(data: dict[str, Any], locale: Locale) -> Iterator[str]:
    if data["hour"]:
        yield i18n.say("terms.hour", price=_money(data, "hour", locale))
    if data["day_cap"] is not None:
        yield i18n.say("terms.day_cap", price=_money(data, "day_cap", locale))
    if data["km_included_per_day"]:
        yield i18n.say("terms.km_included", number=locales.number(data["km_included_per_day"], locale))


def _changes(data: dict[str, Any], fare: str | None, locale: Locale) -> Iterator[str]:
    """What another plan costs: late, early, cancelled, not come, longer."""
    costs = _costs(data, fare)
    if costs and fare != "at_cost":
        yield i18n.say("terms.late")
        if data["late_fee"]:
            yield i18n.say("terms.late_fee", price=_money(data, "late_fee", locale))
    yield i18n.say("terms.late_grace_min", duration=i18n.duration(data["late_grace_min"]))
    if costs and fare != "at_cost" and data["early_return_percent"]:
        yield i18n.say("terms.early_return", percent=_percent(data["early_return_percent"], locale))
    if costs:
        yield from _cancellation(data, locale)
    yield i18n.say("terms.no_show_min", duration=i18n.duration(data["no_show_min"]))
    yield i18n.say("terms.extension.auto" if data["extension"] == "auto" else "terms.extension.ask")


def _cancellation(data: dict[str, Any], locale: Locale) -> Iterator[str]:
    """The ladder, the furthest from the start first."""
    steps = sorted(data["cancellation"], key=lambda step: -step["hours_before"])
    for step in steps:
        percent = _percent(step["percent"], locale)
        if step["hours_before"]:
            duration = i18n.hours(step["hours_before"])
            yield i18n.say("terms.cancellation", duration=duration, percent=percent)
        else:
            yield i18n.say("terms.cancellation.started", percent=percent)
    if not steps:
        yield i18n.say("terms.cancellation.free")
    yield i18n.say("terms.cancellation.owner")


def _rules(data: dict[str, Any]) -> Iterator[str]:
    for name, key in (
        ("min_min", "terms.min_min"),
        ("max_min", "terms.max_min"),
        ("notice_min", "terms.notice_min"),
        ("buffer_min", "terms.buffer_min"),
    ):
        if data[name]:
            yield i18n.say(key, duration=i18n.duration(data[name]))


def _percent(whole: int, locale: Locale) -> str:
    return locales.percent(whole * 100, locale)
