"""registered tracks and held-out prompts."""

import sqlalchemy as sa

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "prompt", sa.Column("held_out", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "registration",
        sa.Column("track_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("nonces", sa.JSON(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name="fk_registration_track_id_track"),
        sa.PrimaryKeyConstraint("track_id", name="pk_registration"),
    )
    op.create_table(
        "deviation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("registered", sa.JSON(), nullable=True),
        sa.Column("found", sa.JSON(), nullable=True),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["track_id"], ["registration.track_id"], name="fk_deviation_track_id_registration"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deviation"),
    )
    op.create_index("ix_deviation_track_id", "deviation", ["track_id"])


def downgrade() -> None:
    op.drop_table("deviation")
    op.drop_table("registration")
    # Not by a copy of the table, which SQLite refuses while clips refer to its rows.
    op.execute("ALTER TABLE prompt DROP COLUMN held_out")
