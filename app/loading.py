"""Import this first: while a process loads, nothing is garbage, and the collector would look through it many times over."""

import gc

gc.disable()


def done() -> None:
    """All is loaded and stays to the end: the collector begins, and passes it over for good."""
    gc.freeze()
    gc.enable()
