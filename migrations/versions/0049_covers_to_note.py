"""covers that their insurer has not taken note of are found among all by an index"""

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"

_NEW = "covers_to_note_idx"


def upgrade() -> None:
    # as in 0023: none that writes here waits for the new index, and one that a failed try left invalid is built anew
    with op.get_context().autocommit_block():
        op.drop_index(_NEW, "covers", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            _NEW,
            "covers",
            ["insurer_id", "id"],
            postgresql_where=sa.text("coalesce(acknowledged_version, 0) < version"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")
