"""hold events."""

import sqlalchemy as sa

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "hold_event",
        sa.Column("number", BIG_ID, autoincrement=False, nullable=False),
        sa.Column("vote_id", BIG_ID, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                *("hold", "release", "count"),
                name="holdkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("rule", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("author", sa.String(80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["vote_id"], ["vote.id"], name="fk_hold_event_vote_id_vote"),
        sa.PrimaryKeyConstraint("number", name="pk_hold_event"),
    )
    op.create_index("ix_hold_event_vote_id", "hold_event", ["vote_id"])
    op.add_column("snapshot", sa.Column("hold_events", BIG_ID, nullable=False, server_default="0"))
    op.add_column("snapshot", sa.Column("holds", sa.JSON(), nullable=True))


def downgrade() -> None:
    # Not by a copy of the table, which SQLite refuses while standings refer to its rows.
    op.execute("ALTER TABLE snapshot DROP COLUMN holds")
    op.execute("ALTER TABLE snapshot DROP COLUMN hold_events")
    op.drop_table("hold_event")
