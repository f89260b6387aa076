"""Alembic, on the app's own engine and models; the queue's tables belong to procrastinate's SQL."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from flask import current_app

from app.kit.db import Model, db


def ours(_object: object, name: str | None, kind: str, _reflected: bool, _compare_to: object) -> bool:
    return not (kind in ("table", "index") and (name or "").startswith("procrastinate_"))


def render(kind: str, thing: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Our own column types as plain ones, so that migrations never change with the code."""
    from app.kit.db import PublicId, Xid8

    if kind == "type" and isinstance(thing, PublicId):
        return "sa.Uuid()"
    if kind == "type" and isinstance(thing, Xid8):
        autogen.imports.add("from app.kit.db import Xid8")
        return "Xid8()"
    return False


def process_revision(_context: object, _revision: object, directives: list[Any]) -> None:
    """Revisions are numbered files."""
    from pathlib import Path

    script = directives[0]
    taken = [
        path.name[:4]
        for path in Path(str(context.config.get_main_option("script_location")), "versions").glob("[0-9]*.py")
    ]
    script.rev_id = f"{int(max(taken, default='0000')) + 1:04d}"
    script.downgrade_ops.ops.clear()


with current_app.app_context(), db.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Model.metadata,
        include_object=ours,
        compare_type=True,
        render_item=render,
        process_revision_directives=process_revision,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
