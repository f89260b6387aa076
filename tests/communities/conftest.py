import pytest
from flask import Flask

from tests import factories
from tests.communities.circle import Circle, voice


@pytest.fixture
def circle(app: Flask) -> Circle:
    """Olga's community with Max as a driver; Charlie is a stranger to it."""
    olga, driver, charlie = (voice(app, name) for name in ("Olga Owner", "Max Member", "Charlie Stranger"))
    return Circle(factories.circle(olga.person, driver.person).id, olga, driver, charlie)
