"""catalog version."""

import sqlalchemy as sa

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CLIPS_SEEN = ["voter_id", "track_id", "clip_a_id", "clip_b_id"]


def upgrade() -> None:
    table = op.create_table(
        "catalog_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalog_version"),
    )
    op.bulk_insert(table, [{"id": 1, "version": 0}])
    op.create_index("ix_battle_voter_track_clips", "battle", CLIPS_SEEN)
    op.drop_index("ix_battle_voter_track", "battle")


def downgrade() -> None:
    op.create_index("ix_battle_voter_track", "battle", ["voter_id", "track_id"])
    op.drop_index("ix_battle_voter_track_clips", "battle")
    op.drop_table("catalog_version")
