from collections.abc import Iterator

import pytest

from tests.faults.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A place of its own for the faults: nobody else's tests suffer from them."""
    made = Stack.up(tmp_path_factory.mktemp("faults"))
    yield made
    made.stop()
