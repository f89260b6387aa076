"""coverage"""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward: restore a backup instead")
