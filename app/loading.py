"""To be imported before the rest of the app: little is garbage while a process loads, and the collector would look through
all of it many times over.
"""

import gc

gc.disable()


def done() -> None:
    """All is loaded and stays to the end: the collector begins, and passes it over for good."""
    gc.freeze()
    gc.enable()
