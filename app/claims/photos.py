"""Photos as evidence, by their ids. No photo can be handed in yet, so no id is known: text and document must do."""

from collections.abc import Sequence


def unknown(ids: Sequence[str]) -> list[dict[str, str]]:
    """An error for each id that is not a photo of the rental."""
    detail = "There is no such photo of this rental."
    return [
        {"pointer": f"/photos/{place}", "code": "unknown", "detail": detail} for place, _ in enumerate(ids)
    ]
