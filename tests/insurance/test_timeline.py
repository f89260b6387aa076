"""The picture of a cover's life: every version is in it, at its place, and nothing in it can be taken for markup."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from insurance import timeline

OUT, PLANNED, LATE, BACK = (f"2026-11-28T{hour}:00:00.000Z" for hour in ("09", "11", "12", "13"))


def version(number: int, kind: str, state: str, to: str | None, **changes: Any) -> dict[str, Any]:
    cover = {
        "id": "cov_1",
        "car": {"plate": "AB-123-CD"},
        "state": state,
        "liability": {"from": OUT, "to": to},
        "own_damage": {"from": OUT, "to": to or PLANNED},
        "planned": {"from": OUT, "to": PLANNED},
        "overrun_at": None,
        "recorded_at": OUT,
        **changes,
    }
    return {"version": number, "kind": f"cover.{kind}", "cover": cover}


LIFE = [
    version(1, "bound", "bound", None),
    version(2, "activated", "active", None),
    version(3, "overrun", "active", None, overrun_at=PLANNED, recorded_at=LATE),
    version(4, "closed", "closed", BACK, overrun_at=PLANNED, recorded_at=BACK),
]


def drawn(life: list[dict[str, Any]]) -> list[dict[str, ET.Element]]:
    """What is in each row, by what it is."""
    root = ET.fromstring(timeline.svg(life))  # noqa: S314 - our own
    rows = [one for one in root.iter() if "data-version" in one.attrib]
    return [{part.get("data-is", ""): part for part in row} for row in rows]


def test_each_version_is_a_row_with_its_spans() -> None:
    rows = drawn(LIFE)
    assert len(rows) == len(LIFE)
    assert all({"planned", "liability", "own_damage"} <= set(row) for row in rows)


def test_the_planned_end_that_passed_is_marked_from_the_version_that_knows_it() -> None:
    assert ["overrun" in row for row in drawn(LIFE)] == [False, False, True, True]


def test_an_open_span_runs_off_the_edge_and_a_closed_one_ends_where_it_ended() -> None:
    rows = drawn(LIFE)
    assert [row["liability"].get("data-open") for row in rows] == ["true", "true", "true", None]
    ends = [float(row["liability"].get("x", 0)) + float(row["liability"].get("width", 0)) for row in rows]
    assert ends[0] == timeline.LEFT + timeline.WIDE > ends[3]
    widths = [float(rows[3][name].get("width", 0)) for name in ("planned", "liability")]
    assert widths[0] * 2 == pytest.approx(widths[1], abs=1)


def test_a_void_cover_of_no_length_keeps_its_row_and_its_plan() -> None:
    void = version(2, "voided", "void", OUT)
    row = drawn([LIFE[0], void])[1]
    assert "planned" in row
    assert "liability" not in row


def test_a_cover_of_no_length_at_all_can_be_drawn() -> None:
    nothing = version(1, "voided", "void", OUT, planned={"from": OUT, "to": OUT})
    assert drawn([nothing])[0].keys() & {"planned", "liability", "own_damage"} == set()


def test_a_plate_is_words_and_no_markup() -> None:
    odd = version(1, "bound", "bound", None, car={"plate": "<script>&"})
    assert "<script>" not in timeline.svg([odd])
    assert drawn([odd])
