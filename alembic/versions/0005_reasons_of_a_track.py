"""reasons of a track."""

import sqlalchemy as sa

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PICTURE = ["prompt", "motion", "picture", "consistency"]
SOUND = ["sound", "sync"]


def upgrade() -> None:
    op.add_column("track", sa.Column("reasons", sa.JSON(), nullable=False, server_default="[]"))
    track = sa.table("track", sa.column("reasons", sa.JSON()), sa.column("audio", sa.Boolean()))
    op.execute(track.update().where(~track.c.audio).values(reasons=PICTURE))
    op.execute(track.update().where(track.c.audio).values(reasons=PICTURE + SOUND))


def downgrade() -> None:
    # Not by a copy of the table, which SQLite refuses while clips refer to its rows.
    op.execute("ALTER TABLE track DROP COLUMN reasons")
