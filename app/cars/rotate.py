"""A new password for the box: old and new account side by side until the box is heard on the new one, or the old is cut.

The new account has a name and with it a topic tree of its own: what comes from there proves that the box uses it.
"""

from sqlalchemy import select

from app.cars import access
from app.cars.box import find, newest, refuse_in_use
from app.cars.models import Box
from app.cars.wait_for_broker import Before, Made
from app.kit.db import notify, session, transactional
from carbox.broker_accounts import new_password, password_hash


@transactional
def rotate(person: str, car_id: str, *, cut_old: bool = False) -> tuple[Box, str | None, Made]:
    """A second account; its password, shown once; and what is to be waited for. Raises NotFound, InUse.

    Asked again, the second account is made anew. `cut_old`: the second account, made now where there is none, is the
    only one from now on; the password of one made before is not shown again (None).
    """
    car = access.may_run(car_id, person, lock=True)
    box = find(car.id)
    refuse_in_use(car)
    before, password = Before.of(box), None
    if not (cut_old and box.next_username):
        password = new_password()
        box.next_username, box.next_password_hash = _next_name(box), password_hash(password)
    if cut_old:
        _use_next(box)
        box.last_heard_at, box.connected = None, False  # nobody has heard it there yet
    box.loaded_at = None
    session.flush()
    notify("boxes", box.id)
    return box, password, Made(box.id, newest(box), before)


def _next_name(box: Box) -> str:
    """`box-…-2`, then `-3`: a name that was shown with another password is never used again."""
    base, _, number = (box.next_username or box.username).removeprefix("box-").partition("-")
    return f"box-{base}-{int(number or 1) + 1}"


def heard_on_next(username: str) -> Box | None:
    """The box that speaks under its second account: from now on its only one. Part of the caller's transaction."""
    box: Box | None = session.scalars(
        select(Box).where(Box.next_username == username, Box.removed_at.is_(None)).with_for_update()
    ).first()
    if box is not None:
        _use_next(box)
        notify("boxes", box.id)
    return box


def _use_next(box: Box) -> None:
    assert box.next_username is not None
    assert box.next_password_hash is not None
    box.username, box.password_hash = box.next_username, box.next_password_hash
    box.next_username = box.next_password_hash = None
