"""clips that may be billed."""

import sqlalchemy as sa

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "clip", sa.Column("maybe_billed", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    # Not by a copy of the table, which SQLite refuses while battles refer to its rows.
    op.execute("ALTER TABLE clip DROP COLUMN maybe_billed")
