from functools import partial

import pytest

from carbox.simulator import simulate, verbs
from carbox.simulator.box import BoxSettings, SimBox
from carbox.simulator.view import KEYS, QUIT, screen
from tests.carbox.simulator.rig import HandClock


def state_of_a_car() -> dict[str, object]:
    return SimBox(BoxSettings("nowhere", 0, "car", "secret"), HandClock()).state()


def test_every_key_is_a_verb_or_a_line_and_the_screen_names_it() -> None:
    lines = screen(state_of_a_car(), [], "press a key", 120, 60)
    for pressed, key in KEYS.items():
        assert key.verb in verbs.VERBS or key.line
        assert any(f"{pressed}  {key.says}" in line for line in lines), pressed
    assert QUIT not in KEYS


def test_every_key_can_be_pressed_one_after_the_other() -> None:
    box = SimBox(BoxSettings("nowhere", 0, "car", "secret"), HandClock())
    for key in KEYS.values():
        if key.verb not in {"", "doors", "sleep", "tow", "drain", "plug", "charge"}:
            box.move(partial(verbs.move, verb=key.verb, body=key.body(box.state())))
    assert box.state()["car"]["odometer_km"] > 41945


@pytest.mark.parametrize(("width", "height"), [(120, 60), (80, 24), (40, 10), (1, 1)])
def test_the_screen_keeps_within_the_terminal(width: int, height: int) -> None:
    lines = screen(state_of_a_car(), ["> event vehicle.on"] * 99, "said", width, height)
    assert len(lines) <= height
    assert all(len(line) < width for line in lines)


def test_the_screen_shows_the_last_topics_in_the_room_that_is_left() -> None:
    lines = screen(state_of_a_car(), [f"> {number}" for number in range(99)], "said", 120, 40)
    assert lines[-1] == "> 98"


def test_without_a_terminal_the_view_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main([]) == 2
    assert "needs a terminal" in capsys.readouterr().err
