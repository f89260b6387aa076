"""Which installation this is: an id of its own, made once and kept in the database, so that it goes where that goes."""

import uuid

from sqlalchemy import Uuid, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from app.kit.db import Model, session, transactional
from app.kit.driver import read

_KNOWN = text("select id from installation")


class Installation(Model):
    """One row, made when the id is first needed."""

    __tablename__ = "installation"
    single: Mapped[bool] = mapped_column(primary_key=True, default=True)
    id: Mapped[uuid.UUID] = mapped_column(Uuid)


def known() -> str | None:
    """Its id, None before that was ever needed. Outside transactions."""
    rows = read(_KNOWN)
    return str(rows[0].id) if rows else None


def own() -> str:
    """Its id, made where there is none yet. Outside transactions."""
    found = known()
    while found is None:
        _make()
        found = known()
    return found


@transactional
def _make() -> None:
    session.execute(insert(Installation).values(single=True, id=uuid.uuid4()).on_conflict_do_nothing())
