"""the memberships of a person, ended ones too, are found by an index: who accepts an invitation is looked for among them"""

from alembic import op

revision = "0044"
down_revision = "0043"

_OLD, _NEW = "memberships_person_idx", "memberships_of_person_idx"


def upgrade() -> None:
    # as in 0023: none that writes here waits for the new index, and one that a failed try left invalid is built anew
    with op.get_context().autocommit_block():
        op.drop_index(_NEW, "memberships", if_exists=True, postgresql_concurrently=True)
        op.create_index(_NEW, "memberships", ["person_id"], postgresql_concurrently=True)
    op.execute("set local lock_timeout = '5s'")
    op.drop_index(_OLD, table_name="memberships", if_exists=True)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")
