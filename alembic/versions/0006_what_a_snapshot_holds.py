"""what a snapshot holds beside the ratings, and leases of background jobs."""

import sqlalchemy as sa

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("snapshot", sa.Column("sampling", sa.JSON(), nullable=True))
    op.add_column("snapshot", sa.Column("details", sa.JSON(), nullable=True))
    op.create_index(
        "ix_snapshot_track_id_voters_category_id",
        "snapshot",
        ["track_id", "voters", "category", "id"],
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("renewals", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )


def downgrade() -> None:
    op.drop_table("lease")
    op.drop_index("ix_snapshot_track_id_voters_category_id", "snapshot")
    # Not by a copy of the table, which SQLite refuses while standings refer to its rows.
    op.execute("ALTER TABLE snapshot DROP COLUMN details")
    op.execute("ALTER TABLE snapshot DROP COLUMN sampling")
