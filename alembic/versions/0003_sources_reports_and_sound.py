"""sources of prompts, reports of clips that do not play, fetched clips and picture-only votes."""

import sqlalchemy as sa

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PROMPT_COLUMNS = (
    ("source_path", sa.String()),
    ("source_sha256", sa.String(64)),
    ("source_bytes", sa.Integer()),
    ("source_media_type", sa.String(40)),
    ("source_width", sa.Integer()),
    ("source_height", sa.Integer()),
    ("source_fault", sa.String()),
)
BATTLE_COLUMNS = (
    ("next_category", sa.String(80)),
    ("voided_at", sa.DateTime(timezone=True)),
    ("fetched_a_at", sa.DateTime(timezone=True)),
    ("fetched_b_at", sa.DateTime(timezone=True)),
    ("fetched_a_bytes", sa.BigInteger()),
    ("fetched_b_bytes", sa.BigInteger()),
)


def upgrade() -> None:
    # Files of existing sources are read when the arena is next initialised or served.
    for name, kind in PROMPT_COLUMNS:
        op.add_column("prompt", sa.Column(name, kind, nullable=True))
    for name, kind in BATTLE_COLUMNS:
        op.add_column("battle", sa.Column(name, kind, nullable=True))
    op.execute("UPDATE battle SET next_category = category WHERE state IN ('open', 'ahead')")
    op.add_column(
        "vote", sa.Column("picture_only", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("vote", sa.Column("watch_checked", sa.Boolean(), nullable=True))
    op.create_table(
        "withheld_clip",
        sa.Column("clip_id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("withheld_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name="fk_withheld_clip_clip_id_clip"),
        sa.PrimaryKeyConstraint("clip_id", name="pk_withheld_clip"),
    )
    op.create_table(
        "battle_report",
        sa.Column("battle_id", sa.Integer(), nullable=False),
        sa.Column("voter_id", sa.Integer(), nullable=False),
        sa.Column("clip_id", sa.Integer(), nullable=True),
        sa.Column("prompt_id", sa.String(80), nullable=True),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("damage", sa.String(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(clip_id IS NULL) <> (prompt_id IS NULL)", name="ck_battle_report_one_file"
        ),
        sa.ForeignKeyConstraint(
            ["battle_id"], ["battle.id"], name="fk_battle_report_battle_id_battle"
        ),
        sa.ForeignKeyConstraint(["voter_id"], ["voter.id"], name="fk_battle_report_voter_id_voter"),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name="fk_battle_report_clip_id_clip"),
        sa.ForeignKeyConstraint(
            ["prompt_id"], ["prompt.id"], name="fk_battle_report_prompt_id_prompt"
        ),
        sa.PrimaryKeyConstraint("battle_id", name="pk_battle_report"),
    )
    op.create_index("ix_battle_report_clip_id", "battle_report", ["clip_id"])
    op.create_index("ix_battle_report_prompt_id", "battle_report", ["prompt_id"])
    op.create_index("ix_battle_report_voter_reported", "battle_report", ["voter_id", "reported_at"])


def downgrade() -> None:
    op.drop_table("battle_report")
    op.drop_table("withheld_clip")
    # Not by copies of the tables, which SQLite refuses while other rows refer to theirs.
    dropped = {
        "vote": ("watch_checked", "picture_only"),
        "battle": tuple(name for name, _ in BATTLE_COLUMNS),
        "prompt": tuple(name for name, _ in PROMPT_COLUMNS),
    }
    for table, columns in dropped.items():
        for name in columns:
            op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
