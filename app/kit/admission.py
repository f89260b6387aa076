"""Who is let through to a route: known, not too often, not suspended, with the password where it is asked for."""

import functools
from typing import Any

from flask import current_app

from app.kit import auth, rate_limits
from app.kit.auth import Who
from app.kit.described import Rule
from app.kit.errors import NotAllowed, Problem


def default_limit(who: Who) -> str:
    return {Who.PERSON: "person", Who.OPERATOR: "person", Who.PARTNER: "partner"}.get(who, "address")


def admitted(view: Any, rule: Rule, limit: str) -> Any:
    """Who is it, may they ask again so soon, have they just given their password?"""

    @functools.wraps(view)
    def call(*args: Any, **kwargs: Any) -> Any:
        house = current_app.extensions["glovebox"]
        try:
            subject = _subject(rule, house.loaders)
        except Problem:
            if limit != "none":
                rate_limits.allow("address", rate_limits.address(), house.settings.limits.address)
            raise
        if limit != "none":
            rate_limits.allow(limit, subject, getattr(house.settings.limits, limit))
        if rule.who in (Who.PERSON, Who.OPERATOR):
            _refuse_suspended(rule)
        if rule.fresh_password:
            auth.require_password()
        return view(*args, **kwargs)

    return call


def _refuse_suspended(rule: Rule) -> None:
    """The one place that says what a suspended person may still do."""
    if auth.caller().suspended and not rule.open_to_suspended:
        raise NotAllowed(
            "Your account is suspended: lock the car to end your rental, nothing else is possible."
        )


def _subject(rule: Rule, loaders: auth.Loaders) -> str:
    if rule.who is Who.PERSON:
        return auth.require_person(loaders).person
    if rule.who is Who.OPERATOR:
        return auth.require_operator(loaders).person
    if rule.who is Who.PARTNER:
        return auth.require_partner(loaders, rule.scope or "").client
    return rate_limits.address()


def asker(rule: Rule) -> str:
    """By whose keys a repeat is known."""
    if rule.who in (Who.PERSON, Who.OPERATOR):
        return auth.caller().person
    if rule.who is Who.PARTNER:
        return auth.partner().client
    return f"address:{rate_limits.address()}"
