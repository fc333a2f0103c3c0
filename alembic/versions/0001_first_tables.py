"""first tables."""

import sqlalchemy as sa

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "entrant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("creator", sa.String(length=120), nullable=False),
        sa.Column("release_date", sa.Date(), nullable=True),
        sa.Column("licence", sa.String(length=120), nullable=False),
        sa.Column("codename", sa.String(length=120), nullable=True),
        sa.Column("commitment", sa.String(length=64), nullable=True),
        sa.Column("price_usd_per_minute", sa.Double(), nullable=True),
        sa.Column("backend", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entrant")),
        sa.UniqueConstraint("codename", name=op.f("uq_entrant_codename")),
        sa.UniqueConstraint("name", name=op.f("uq_entrant_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_entrant_slug")),
    )
    op.create_table(
        "prompt",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompt")),
    )
    op.create_table(
        "track",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column(
            "modality",
            sa.Enum(
                "text-to-video",
                "image-to-video",
                "video-edit",
                name="modality",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("audio", sa.Boolean(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("fps", sa.Integer(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("video_kbps", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("min_watch_ms", sa.Integer(), nullable=False),
        sa.Column(
            "reveal",
            sa.Enum(
                "after-vote",
                "at-close",
                name="reveal",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("seeds", sa.Integer(), nullable=False),
        sa.Column("sampler", sa.String(length=40), nullable=False),
        sa.Column("ties", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "seeds > 0 AND bytes > 0 AND video_kbps > 0", name=op.f("ck_track_terms")
        ),
        sa.CheckConstraint(
            "width > 0 AND height > 0 AND fps > 0 AND frames > 0", name=op.f("ck_track_size")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_track")),
        sa.UniqueConstraint("name", name=op.f("uq_track_name")),
    )
    op.create_table(
        "voter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "person",
                "simulated",
                name="voterkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voter")),
        sa.UniqueConstraint("key", name=op.f("uq_voter_key")),
    )
    op.create_table(
        "clip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entrant_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.String(length=80), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "ready",
                "failed",
                name="clipstatus",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("master_path", sa.String(), nullable=True),
        sa.Column("rendition_path", sa.String(), nullable=True),
        sa.Column("master_sha256", sa.String(length=64), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("provenance", sa.JSON(), nullable=True),
        sa.Column("measures", sa.JSON(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'ready') = (rendition_path IS NOT NULL AND sha256 IS NOT NULL)",
            name=op.f("ck_clip_ready_has_rendition"),
        ),
        sa.ForeignKeyConstraint(
            ["entrant_id"], ["entrant.id"], name=op.f("fk_clip_entrant_id_entrant")
        ),
        sa.ForeignKeyConstraint(
            ["prompt_id"], ["prompt.id"], name=op.f("fk_clip_prompt_id_prompt")
        ),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_clip_track_id_track")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clip")),
        sa.UniqueConstraint(
            "entrant_id",
            "track_id",
            "prompt_id",
            "seed",
            name=op.f("uq_clip_entrant_id_track_id_prompt_id_seed"),
        ),
    )
    with op.batch_alter_table("clip", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_clip_prompt_id"), ["prompt_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_clip_track_id"), ["track_id"], unique=False)

    op.create_table(
        "entrant_track",
        sa.Column("entrant_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entrant_id"], ["entrant.id"], name=op.f("fk_entrant_track_entrant_id_entrant")
        ),
        sa.ForeignKeyConstraint(
            ["track_id"], ["track.id"], name=op.f("fk_entrant_track_track_id_track")
        ),
        sa.PrimaryKeyConstraint("entrant_id", "track_id", name=op.f("pk_entrant_track")),
    )
    with op.batch_alter_table("entrant_track", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entrant_track_track_id"), ["track_id"], unique=False)

    op.create_table(
        "prompt_category",
        sa.Column("prompt_id", sa.String(length=80), nullable=False),
        sa.Column("category", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt_id"], ["prompt.id"], name=op.f("fk_prompt_category_prompt_id_prompt")
        ),
        sa.PrimaryKeyConstraint("prompt_id", "category", name=op.f("pk_prompt_category")),
    )
    with op.batch_alter_table("prompt_category", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_prompt_category_category"), ["category"], unique=False)

    op.create_table(
        "prompt_track",
        sa.Column("prompt_id", sa.String(length=80), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["prompt_id"], ["prompt.id"], name=op.f("fk_prompt_track_prompt_id_prompt")
        ),
        sa.ForeignKeyConstraint(
            ["track_id"], ["track.id"], name=op.f("fk_prompt_track_track_id_track")
        ),
        sa.PrimaryKeyConstraint("prompt_id", "track_id", name=op.f("pk_prompt_track")),
    )
    with op.batch_alter_table("prompt_track", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_prompt_track_track_id"), ["track_id"], unique=False)

    op.create_table(
        "snapshot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(length=80), nullable=False),
        sa.Column(
            "voters",
            sa.Enum(
                "person",
                "simulated",
                name="voterkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watermark", sa.Integer(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["track_id"], ["track.id"], name=op.f("fk_snapshot_track_id_track")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot")),
        sa.UniqueConstraint(
            "track_id",
            "category",
            "voters",
            "published_on",
            name=op.f("uq_snapshot_track_id_category_voters_published_on"),
        ),
    )
    op.create_table(
        "battle",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=43), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("prompt_id", sa.String(length=80), nullable=False),
        sa.Column("voter_id", sa.Integer(), nullable=False),
        sa.Column("clip_a_id", sa.Integer(), nullable=False),
        sa.Column("clip_b_id", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(length=80), nullable=True),
        sa.Column("sampler", sa.String(length=40), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "ahead",
                "open",
                "answered",
                "expired",
                name="battlestate",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("repeat_of", sa.Integer(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("clip_a_id <> clip_b_id", name=op.f("ck_battle_two_clips")),
        sa.CheckConstraint(
            "probability > 0 AND probability <= 1", name=op.f("ck_battle_probability")
        ),
        sa.ForeignKeyConstraint(["clip_a_id"], ["clip.id"], name=op.f("fk_battle_clip_a_id_clip")),
        sa.ForeignKeyConstraint(["clip_b_id"], ["clip.id"], name=op.f("fk_battle_clip_b_id_clip")),
        sa.ForeignKeyConstraint(
            ["prompt_id"], ["prompt.id"], name=op.f("fk_battle_prompt_id_prompt")
        ),
        sa.ForeignKeyConstraint(
            ["repeat_of"], ["battle.id"], name=op.f("fk_battle_repeat_of_battle")
        ),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name=op.f("fk_battle_track_id_track")),
        sa.ForeignKeyConstraint(["voter_id"], ["voter.id"], name=op.f("fk_battle_voter_id_voter")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_battle")),
        sa.UniqueConstraint("token", name=op.f("uq_battle_token")),
    )
    with op.batch_alter_table("battle", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_battle_clip_a_id"), ["clip_a_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_battle_clip_b_id"), ["clip_b_id"], unique=False)
        batch_op.create_index("ix_battle_voter_track", ["voter_id", "track_id"], unique=False)
        batch_op.create_index(
            "uq_battle_ahead",
            ["voter_id", "track_id"],
            unique=True,
            sqlite_where=sa.text("state = 'ahead'"),
            postgresql_where=sa.text("state = 'ahead'"),
        )
        batch_op.create_index(
            "uq_battle_open",
            ["voter_id", "track_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "standing",
        sa.Column("snapshot_id", sa.Integer(), nullable=False),
        sa.Column("entrant_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("rank_lower", sa.Integer(), nullable=True),
        sa.Column("rank_upper", sa.Integer(), nullable=True),
        sa.Column("rating", sa.Double(), nullable=True),
        sa.Column("rating_lower", sa.Double(), nullable=True),
        sa.Column("rating_upper", sa.Double(), nullable=True),
        sa.Column("variance", sa.Double(), nullable=True),
        sa.Column("vote_count", sa.Integer(), nullable=False),
        sa.Column("wins", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("ties", sa.Integer(), nullable=False),
        sa.Column("both_bad", sa.Integer(), nullable=False),
        sa.Column("win_rate", sa.Double(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["entrant_id"], ["entrant.id"], name=op.f("fk_standing_entrant_id_entrant")
        ),
        sa.ForeignKeyConstraint(
            ["snapshot_id"],
            ["snapshot.id"],
            name=op.f("fk_standing_snapshot_id_snapshot"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("snapshot_id", "entrant_id", name=op.f("pk_standing")),
    )
    op.create_table(
        "vote",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("battle_id", sa.Integer(), nullable=False),
        sa.Column("voter_id", sa.Integer(), nullable=False),
        sa.Column(
            "choice",
            sa.Enum(
                "a",
                "b",
                "tie",
                "bad",
                "skip",
                name="choice",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("cast_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receipt", sa.String(length=32), nullable=False),
        sa.Column("watched_a_ms", sa.Integer(), nullable=True),
        sa.Column("watched_b_ms", sa.Integer(), nullable=True),
        sa.Column("heard_a_ms", sa.Integer(), nullable=True),
        sa.Column("heard_b_ms", sa.Integer(), nullable=True),
        sa.Column(
            "first",
            sa.Enum("a", "b", name="side", native_enum=False, create_constraint=True, length=32),
            nullable=True,
        ),
        sa.Column("decided_ms", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("shown_rating_a", sa.Double(), nullable=True),
        sa.Column("shown_rating_b", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["battle_id"], ["battle.id"], name=op.f("fk_vote_battle_id_battle")
        ),
        sa.ForeignKeyConstraint(["voter_id"], ["voter.id"], name=op.f("fk_vote_voter_id_voter")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vote")),
        sa.UniqueConstraint("battle_id", name=op.f("uq_vote_battle_id")),
        sa.UniqueConstraint("receipt", name=op.f("uq_vote_receipt")),
    )
    with op.batch_alter_table("vote", schema=None) as batch_op:
        batch_op.create_index("ix_vote_voter_cast", ["voter_id", "cast_at"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("vote", schema=None) as batch_op:
        batch_op.drop_index("ix_vote_voter_cast")

    op.drop_table("vote")
    op.drop_table("standing")
    with op.batch_alter_table("battle", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_battle_open",
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )
        batch_op.drop_index(
            "uq_battle_ahead",
            sqlite_where=sa.text("state = 'ahead'"),
            postgresql_where=sa.text("state = 'ahead'"),
        )
        batch_op.drop_index("ix_battle_voter_track")
        batch_op.drop_index(batch_op.f("ix_battle_clip_b_id"))
        batch_op.drop_index(batch_op.f("ix_battle_clip_a_id"))

    op.drop_table("battle")
    op.drop_table("snapshot")
    with op.batch_alter_table("prompt_track", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prompt_track_track_id"))

    op.drop_table("prompt_track")
    with op.batch_alter_table("prompt_category", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_prompt_category_category"))

    op.drop_table("prompt_category")
    with op.batch_alter_table("entrant_track", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_entrant_track_track_id"))

    op.drop_table("entrant_track")
    with op.batch_alter_table("clip", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_clip_track_id"))
        batch_op.drop_index(batch_op.f("ix_clip_prompt_id"))

    op.drop_table("clip")
    op.drop_table("voter")
    op.drop_table("track")
    op.drop_table("prompt")
    op.drop_table("entrant")
