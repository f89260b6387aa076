"""Fields of the contract: what they take, what they give back."""

import pytest
from marshmallow import ValidationError, fields

from app.kit.fields import Country, Flag, Instant, Strict, Text, Whole, Zone


class Odd(Strict):
    """Names that a dict has too."""

    keys = fields.String()
    items = fields.String()


def test_a_field_named_like_a_method_of_dict_is_only_ever_a_field() -> None:
    assert Odd().dump({}) == {}
    assert Odd().dump({"keys": "k", "items": "i"}) == {"keys": "k", "items": "i"}


@pytest.mark.parametrize(
    ("field", "odd"),
    [
        (Text(5), "a\n"), (Text(5), ""), (Text(5), "123456"), (Text(5), "\x9f"), (Text(9), "\ud800"), (Whole(0, 9), True),
        (Whole(0, 9), "5"), (Whole(0, 9), 5.5), (Whole(0, 9), 10), (Flag(), 1), (Flag(), "on"), (Country(), "fr"),
        (Zone(), "Europe/Paris\n"), (Zone(), "../etc"), (Instant(), "2027-03-01 09:00:00Z"),
        (Instant(), "2027-03-01T24:00:00Z"),
        (Instant(), "2027-03-01T09:00:00+25:00"), (Instant(), "\u0662027-03-01T09:00:00Z"), (Instant(), 1804064400),
    ],
)  # fmt: skip
def test_an_odd_value_is_refused(field: fields.Field[object], odd: object) -> None:
    with pytest.raises(ValidationError):
        field.deserialize(odd)
