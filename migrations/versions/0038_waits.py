"""the waiting list; a quote may be of an offer to somebody who waited"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"

_AT = sa.DateTime(timezone=True)
_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.create_table(
        "waits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("car_id", sa.Uuid(), nullable=True),
        sa.Column("community_id", sa.Uuid(), nullable=True),
        sa.Column("from_at", _AT, nullable=False),
        sa.Column("to_at", _AT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=True),
        sa.Column("offered_car_id", sa.Uuid(), nullable=True),
        sa.Column("answer_by", _AT, nullable=True),
        sa.Column("made_at", _AT, nullable=False),
        sa.CheckConstraint("num_nonnulls(car_id, community_id) = 1", name=op.f("waits_for_one_check")),
        sa.CheckConstraint(
            "state in ('waiting', 'offered', 'taken', 'lapsed')", name=op.f("waits_state_check")
        ),
        sa.ForeignKeyConstraint(["car_id"], ["cars.id"], name=op.f("waits_car_id_fkey")),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name=op.f("waits_community_id_fkey")),
        sa.ForeignKeyConstraint(["offered_car_id"], ["cars.id"], name=op.f("waits_offered_car_id_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("waits_person_id_fkey")),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name=op.f("waits_quote_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("waits_pkey")),
        sa.UniqueConstraint("quote_id", name=op.f("waits_quote_id_key")),
    )
    op.create_index("waits_person_id_idx", "waits", ["person_id"])
    op.create_index("waits_car_idx", "waits", ["car_id"], postgresql_where=_WAITING)
    op.create_index("waits_community_idx", "waits", ["community_id"], postgresql_where=_WAITING)
    op.add_column("quotes", sa.Column("wait_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")
