"""How much a rental at cost may still bring: pure, in minor units of the car's currency, energy apart.

What a car brings in a year never exceeds the cost that its owner states. No stated cost is a cost of nothing.
"""


def quoted(stated: int | None, earned: int, promised: int) -> int:
    """The bound of a new quote: the cost less what rentals have brought and what open ones are quoted at."""
    return max(0, (stated or 0) - earned - promised)


def settled(frozen: int, stated: int | None, earned: int) -> int:
    """The bound at the end: the quote's, and no more than what is left of the cost by then."""
    return min(frozen, quoted(stated, earned, 0))
