"""The words of the API itself: every language has each, and nothing is left without words."""

import json
import string
from pathlib import Path

import pytest

from app import messages
from app.kit import i18n
from app.kit.errors import BY_SLUG
from app.messages.inbox import _STEPS
from app.messages.kinds import OWN
from app.messages.tell import snake
from app.messages.timeline import SHOWN
from app.messages.words import LOCK, START

UNLOCK = (
    *("state", "time", "car_back", "other_rental", "membership", "licence", "accepted", "phone"),
    *("payment", "cover", "command", "box", "capability", "charge", "photos", "safe"),
    *("doors", "battery_12v", "range", "car_back.due", "payment.warned"),
)
TEXTS = Path(messages.__file__).parent.parent / "kit" / "texts"


def words(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((TEXTS / f"{language}.json").read_text("utf-8"))
    return found


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    english, theirs = words("en"), words(language)
    assert list(theirs) == list(english)
    for key, text in theirs.items():
        assert text.strip() == text, key
        assert text, key
        assert names(text) == names(english[key]), key


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_refusal_condition_step_and_event_has_words(language: str) -> None:
    wanted = {f"problem.{slug}" for slug in BY_SLUG}
    wanted |= {f"condition.unlock.{code}" for code in UNLOCK}
    wanted |= {f"condition.lock.{code}" for code in LOCK}
    wanted |= {f"risk.owner.{code}" for code in START}
    wanted |= {f"timeline.{snake(kind)}" for kind in SHOWN}
    wanted |= {f"step.{step.rpartition('/')[2]}" for rows in _STEPS.values() for step, _ in rows}
    wanted |= {f"message.{kind}.{part}" for kind in OWN for part in ("title", "body")}
    assert wanted <= set(words(language))


def test_the_english_titles_are_those_of_the_errors() -> None:
    english = words("en")
    assert {slug: english[f"problem.{slug}"] for slug in BY_SLUG} == {
        slug: problem.title for slug, problem in BY_SLUG.items()
    }


def test_french_sets_no_break_spaces_before_its_punctuation() -> None:
    assert [text for text in words("fr").values() if any(f" {mark}" in text for mark in ":;?!")] == []
