"""large ids."""

import sqlalchemy as sa

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# PostgreSQL only: SQLite's integers have 64 bits already.
COLUMNS = {
    "voter": ("id",),
    "battle": ("id", "voter_id", "repeat_of"),
    "battle_report": ("battle_id", "voter_id"),
    "vote": ("id", "battle_id", "voter_id"),
    "snapshot": ("watermark",),
    "track": ("bytes",),
    "prompt": ("source_bytes",),
}


def _alter(kind: sa.types.TypeEngine[int], sequence: str) -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, columns in COLUMNS.items():
        for column in columns:
            op.alter_column(table, column, type_=kind)
            if column == "id":
                op.execute(f"ALTER SEQUENCE {table}_id_seq AS {sequence}")


def upgrade() -> None:
    _alter(sa.BigInteger(), "bigint")


def downgrade() -> None:
    _alter(sa.Integer(), "integer")
