"""A quote becomes a rental once, whoever else is at it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from app.kit.db import db, release
from app.kit.errors import QuoteExpired
from app.rentals import book, quote
from tests.rentals.scene import Scene


def test_a_quote_that_a_second_tap_finds_used_is_said_to_be_so_and_not_the_car_to_be_taken(
    app: Flask, scene: Scene
) -> None:
    driver, begins = scene.max.id, scene.rental.to_at + timedelta(hours=1)
    asked = {"car": scene.car_id, "from_": begins, "to": begins + timedelta(hours=1)}
    quoted = quote.quote(driver, asked)
    body = {"quote": quoted.id, "accept": list(quoted.conditions)}
    first: list[str] = []

    def tap() -> str:
        with app.app_context():
            made = book.book(driver, body).id
            release()
            return made

    def meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM cars" in statement and "FOR UPDATE" in statement and not first:
            first.append("")
            with ThreadPoolExecutor(1) as other:
                first[0] = other.submit(tap).result()

    event.listen(db.engine, "before_cursor_execute", meanwhile)
    try:
        with pytest.raises(QuoteExpired):
            book.book(driver, body)
    finally:
        event.remove(db.engine, "before_cursor_execute", meanwhile)
    assert first[0].startswith("ren_")
