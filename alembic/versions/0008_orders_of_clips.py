"""orders of clips to paid services."""

import sqlalchemy as sa

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = ["entrant_id", "track_id", "prompt_id", "seed", "attempt"]


def upgrade() -> None:
    op.create_table(
        "clip_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entrant_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.String(80), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entrant_id"], ["entrant.id"], name="fk_clip_order_entrant_id_entrant"
        ),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name="fk_clip_order_track_id_track"),
        sa.ForeignKeyConstraint(
            ["prompt_id"], ["prompt.id"], name="fk_clip_order_prompt_id_prompt"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_clip_order"),
        sa.UniqueConstraint(*KEY, name="uq_clip_order_entrant_id_track_id_prompt_id_seed_attempt"),
    )


def downgrade() -> None:
    op.drop_table("clip_order")
