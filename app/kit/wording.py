"""Texts in the languages of `app.kit.locales` that stand in a folder, one file per language."""

import json
from functools import cache
from pathlib import Path


@cache
def words(folder: Path, language: str) -> dict[str, str]:
    """Every text of one language."""
    found: dict[str, str] = json.loads((folder / f"{language}.json").read_text("utf-8"))
    return found
