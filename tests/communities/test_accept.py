"""What accepting an invitation asks of a table with millions of memberships."""

from flask import Flask
from sqlalchemy import text

from app.communities import access
from app.kit.db import db, uuid7


def test_whether_somebody_was_a_member_is_found_without_looking_through_all_memberships(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        for way in ("seqscan", "bitmapscan"):
            connection.execute(text(f"set local enable_{way} = off"))
        asked = access._LAST.compile(dialect=connection.dialect)
        values = asked.construct_params({"person": uuid7(), "community": uuid7()})
        plan = "\n".join(connection.exec_driver_sql(f"explain {asked}", values).scalars())
    assert "memberships_of_person_idx" in plan, plan
    assert "Index Cond: (person_id =" in plan, plan
