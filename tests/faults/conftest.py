from collections.abc import Iterator
from dataclasses import asdict

import pytest

from tests.faults.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A place of its own for the faults: nobody else's tests suffer from them."""
    made = Stack.up(tmp_path_factory.mktemp("faults"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def looked(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the checks of this test looked at, for the table."""
    if "stack" not in request.fixturenames:
        yield
        return
    stack: Stack = request.getfixturevalue("stack")
    stack.looks.clear()
    yield
    if stack.looks:
        request.node.user_properties.append(("looked", asdict(stack.looks[-1])))
