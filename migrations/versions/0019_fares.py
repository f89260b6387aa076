"""who gets what of a payment, energy, and the cost of a car that at-cost rentals may cover"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"


def _shares() -> sa.Column[object]:
    return sa.Column("shares", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True)


def upgrade() -> None:
    op.execute("set local lock_timeout = '5s'")
    op.add_column("cars", sa.Column("stop_told_in", sa.Integer(), nullable=True))
    op.add_column("quotes", _shares())
    op.add_column("quotes", sa.Column("cost_left", sa.BigInteger(), nullable=True))
    op.add_column("rentals", _shares())
    op.add_column("rentals", sa.Column("cost_left", sa.BigInteger(), nullable=True))
    op.add_column("rentals", sa.Column("towards_cost", sa.BigInteger(), nullable=True))
    op.add_column("payments", _shares())
    # a constant default fills the rows that are there without rewriting the table, and serves the code before this one
    op.add_column(
        "payments", sa.Column("energy", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")
