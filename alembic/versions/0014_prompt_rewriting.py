"""prompt rewriting of a track."""

import sqlalchemy as sa

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Services have rewritten prompts as they do by default until now.
    column = sa.Column(
        "prompt_rewriting", sa.String(40), nullable=False, server_default="maker-default"
    )
    op.add_column("track", column)


def downgrade() -> None:
    # Not by a copy of the table, which SQLite refuses while clips refer to its rows.
    op.execute("ALTER TABLE track DROP COLUMN prompt_rewriting")
