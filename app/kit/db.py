"""The one database: models, session, and the one way to open a transaction."""

import contextvars
import functools
import re
import secrets
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, ParamSpec, TypeVar

from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Text,
    Uuid,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.orm import DeclarativeBase, Session, registry
from sqlalchemy.types import TypeDecorator, UserDefinedType

from app.kit.errors import NotFound, Problem

P = ParamSpec("P")
T = TypeVar("T")

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Big(int):
    """An integer column of 64 bits."""


class Model(DeclarativeBase):
    """Base of every table."""

    registry: ClassVar[registry] = registry(
        type_annotation_map={
            str: Text(),
            int: Integer(),
            Big: BigInteger(),
            datetime: DateTime(timezone=True),
            date: Date(),
            dict[str, Any]: JSONB(),
            list[Any]: JSONB(),
        }
    )
    metadata = MetaData(naming_convention=NAMING)


AUTOCOMMIT = "glovebox-autocommit"
"""Where the app keeps the engine of `app.kit.driver`."""
db = SQLAlchemy(
    metadata=Model.metadata,
    session_options={"expire_on_commit": False},
    disable_autonaming=True,
)
session = db.session


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction number."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class PublicId(TypeDecorator[str]):
    """A uuid in the database, `prefix_<32 hex>` everywhere else."""

    impl = Uuid(as_uuid=True)
    cache_ok = True

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix

    def process_bind_param(self, value: str | None, dialect: Dialect) -> uuid.UUID | None:
        del dialect
        return None if value is None else bare(value, self.prefix)

    def process_result_value(self, value: uuid.UUID | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else public(value, self.prefix)


_HEX = re.compile(r"[0-9a-f]{32}")


def bare(public_id: str, prefix: str) -> uuid.UUID:
    """The uuid inside a public id; one of another kind or shape is NotFound, never a database error."""
    kind, _, digits = public_id.partition("_")
    if kind != prefix or not _HEX.fullmatch(digits):
        raise NotFound
    return uuid.UUID(digits)


def public(value: uuid.UUID, prefix: str) -> str:
    """The public id of a uuid: `bare` the other way."""
    return f"{prefix}_{value.hex}"


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562, version 7); PostgreSQL 15 has none of its own."""
    millis = time.time_ns() // 1_000_000
    bits = (millis << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62) | secrets.randbits(62)
    return uuid.UUID(int=bits)


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid7().hex}"


_inside: contextvars.ContextVar[bool] = contextvars.ContextVar("inside_transaction", default=False)
_DEADLOCK, _SERIALIZATION, _TRIES = "40P01", "40001", 4
UNIQUE_VIOLATION = "23505"


def in_transaction() -> bool:
    return _inside.get()


def transactional(work: Callable[P, T]) -> Callable[P, T]:
    """What the function does is one transaction; called inside another, it becomes part of that one.

    The outermost is run again when PostgreSQL broke a deadlock: nothing of it has happened then.
    """

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if _inside.get():
            return work(*args, **kwargs)
        for attempt in range(1, _TRIES + 1):
            try:
                result: T = _once(work, args, kwargs)
                return result
            except DBAPIError as error:
                if attempt == _TRIES or sqlstate(error) not in (_DEADLOCK, _SERIALIZATION):
                    raise
                time.sleep(0.01 * attempt * (1 + secrets.randbelow(10) / 10))
        raise AssertionError

    return run


@event.listens_for(db.session, "loaded_as_persistent")
@event.listens_for(db.session, "pending_to_persistent")
def _hold(present: Session, row: object) -> None:
    """What a transaction has read it keeps: the identity map alone holds rows weakly, and they would be read again."""
    present.info.setdefault("held", []).append(row)


def _forget() -> None:
    """A transaction begins with nothing known of an earlier one."""
    end_reading()
    session.info.clear()


def end_reading() -> None:
    """Forget what was read outside a transaction, and any change made to it.

    By a commit of nothing: psycopg drops all prepared statements of a connection at every rollback.
    """
    if not session.registry.has():
        return
    present = session()
    present.expunge_all()
    if not present.is_active:
        present.rollback()
    elif present.in_transaction():
        try:
            present.commit()
        except (DBAPIError, PendingRollbackError):  # the latter where the connection broke in what was read
            present.rollback()


def _once(work: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    _forget()
    token = _inside.set(True)
    try:
        result = work(*args, **kwargs)
        session.commit()
        return result
    except Problem as problem:
        if problem.keeps and session.is_active:
            session.commit()
        else:
            session.rollback()
        raise
    except BaseException:
        session.rollback()
        raise
    finally:
        _inside.reset(token)


def sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def constraint(error: DBAPIError) -> str | None:
    """The name of the constraint that refused, if one did."""
    diagnosis = getattr(error.orig, "diag", None)
    return getattr(diagnosis, "constraint_name", None)


def dispose() -> None:
    """Close every connection of this process's pools."""
    session.remove()
    db.engine.dispose()
    apart: Engine | None = current_app.extensions.pop(AUTOCOMMIT, None)
    if apart is not None:
        apart.dispose()


_NOTIFY = text("select pg_notify(:channel, :payload)")


def notify(channel: str, payload: str) -> None:
    """Tell listeners once this transaction is committed."""
    session.execute(_NOTIFY, {"channel": channel, "payload": payload})


def release() -> None:
    """Give the connection back before waiting for something."""
    end_reading()
    session.remove()
