"""The words of the API itself: every language has each, and nothing is left without words."""

from pathlib import Path

import app
from app.cars import read_calendar
from app.communities.access import ROLES
from app.communities.invite import GONE
from app.kit import i18n
from app.kit.errors import BY_SLUG
from app.messages import words
from app.messages.inbox import _STEPS
from app.messages.kinds import OWN
from app.messages.tell import snake
from app.messages.timeline import SHOWN
from app.messages.words import LOCK, START
from app.rentals.photo_rules import ROUND

UNLOCK = (
    *("state", "time", "car_back", "other_rental", "membership", "licence", "accepted", "phone"),
    *("payment", "cover", "command", "box", "capability", "charge", "photos", "safe", "clock"),
    *("doors", "battery_12v", "range", "car_back.due", "payment.warned"),
)
GRANT = ("state", "time", "capability", "phone")
PLATFORMS = ("ios", "android", "web")
APP = Path(app.__file__).parent


def families() -> set[str]:
    """The texts whose key is put together of a word of ours and of what it is about."""
    wanted = {f"problem.{slug}" for slug in BY_SLUG}
    wanted |= {f"condition.unlock.{code}" for code in UNLOCK}
    wanted |= {f"condition.lock.{code}" for code in LOCK}
    wanted |= {f"condition.grant.{code}" for code in GRANT}
    wanted |= {f"risk.owner.{code}" for code in START}
    wanted |= {f"angle.{one}" for one in ROUND}
    wanted |= {f"ask.handle.{kind}" for kind in ("lock", "unlock")}
    wanted |= {f"phone.{one}" for one in (*PLATFORMS, "new")}
    wanted |= {f"phone.this.{one}" for one in (*PLATFORMS, "new")}
    wanted |= {f"page.problem.{one}" for one in ("acted", "not_acted", "temporary", "lasting")}
    wanted |= {f"landing.role.{role}" for role in ROLES}
    wanted |= {f"landing.gone.{state}" for state in GONE}
    wanted |= {f"calendar.{kind}" for kind in ("free", "held", "blocked")}
    wanted |= {f"calendar_import.{code}" for code in read_calendar.CODES}
    wanted |= {f"timeline.{snake(kind)}" for kind in SHOWN}
    wanted |= {f"step.{answer}" for answer in ("accept", "decline")}
    wanted |= {f"step.{step.rpartition('/')[2]}" for rows in _STEPS.values() for step, _ in rows}
    return wanted | {f"message.{kind}.{part}" for kind in OWN for part in ("title", "body")}


def test_every_refusal_condition_step_and_event_has_words() -> None:
    assert families() - set(i18n.sentences()) == set()


def test_no_text_is_left_that_nothing_says() -> None:
    files = (path for path in APP.rglob("*") if path.suffix in (".py", ".html"))
    source = "\n".join(path.read_text("utf-8") for path in files)
    left = [key for key in i18n.sentences() if key not in families() and f'"{key}"' not in source]
    assert left == []


def test_the_english_titles_are_those_of_the_errors() -> None:
    english = i18n.sentences()
    assert {slug: english[f"problem.{slug}"] for slug in BY_SLUG} == {
        slug: problem.title for slug, problem in BY_SLUG.items()
    }


def test_a_country_is_called_as_its_reader_calls_it() -> None:
    assert words._country("PL", "pt") == "Polónia"
    assert words._country("NL", "it-CH") == "Paesi Bassi"
