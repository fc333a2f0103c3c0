"""seals and openings."""

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entrant", sa.Column("fingerprint", sa.String(90), nullable=True))
    op.create_table(
        "opening",
        sa.Column("entrant_id", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entrant_id"], ["entrant.id"], name="fk_opening_entrant_id_entrant"
        ),
        sa.PrimaryKeyConstraint("entrant_id", name="pk_opening"),
    )
    op.create_table(
        "seal_key",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("signature", sa.String(128), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_seal_key"),
        sa.UniqueConstraint("fingerprint", name="uq_seal_key_fingerprint"),
    )
    op.create_table(
        "seal",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("watermark", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.Column("gaps", sa.JSON(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_seal"),
    )
    op.create_index("ix_seal_size", "seal", ["size"])
    op.create_index("ix_seal_watermark", "seal", ["watermark"])
    op.create_table(
        "seal_tile",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("votes", sa.LargeBinary(), nullable=True),
        sa.Column("first_vote", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("level", "number", name="pk_seal_tile"),
    )
    op.create_index("ix_seal_tile_level_first_vote", "seal_tile", ["level", "first_vote"])
    op.create_table(
        "sealed_entry",
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("key", sa.String(100), nullable=False),
        sa.Column("seal_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["seal_number"], ["seal.number"], name="fk_sealed_entry_seal_number_seal"
        ),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_sealed_entry"),
    )
    op.create_table(
        "sealed_clip",
        sa.Column("clip_id", sa.Integer(), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("reference", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name="fk_sealed_clip_clip_id_clip"),
        sa.PrimaryKeyConstraint("clip_id", name="pk_sealed_clip"),
    )


def downgrade() -> None:
    for table in ("sealed_clip", "sealed_entry", "seal_tile", "seal", "seal_key", "opening"):
        op.drop_table(table)
    # Not by a copy of the table, which SQLite refuses while clips refer to its rows.
    op.execute("ALTER TABLE entrant DROP COLUMN fingerprint")
