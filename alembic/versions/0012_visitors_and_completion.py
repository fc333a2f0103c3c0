"""visitors and completion."""

import re

import sqlalchemy as sa

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

VOTER_KEY = "CONSTRAINT fk_battle_voter_id_voter FOREIGN KEY(voter_id) REFERENCES voter (id)"
_VOTER_KEY = re.compile(
    r",\s*CONSTRAINT\s+\"?fk_battle_voter_id_voter\"?\s+"
    r"FOREIGN\s+KEY\s*\(\s*\"?voter_id\"?\s*\)\s*REFERENCES\s+\"?voter\"?\s*\(\s*\"?id\"?\s*\)"
)


def _rewrite_battle(change: str) -> None:
    """Add or remove the foreign key of a table that others refer to, as SQLite documents it.

    https://www.sqlite.org/lang_altertable.html: constraints do not change what is stored, so that
    the table's text may be edited instead of copying the table.
    """
    connection = op.get_bind()
    find = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'battle'"
    sql = str(connection.exec_driver_sql(find).scalar())
    if change == "remove":
        changed = _VOTER_KEY.sub("", sql)
    else:
        changed = sql.rstrip().removesuffix(")").rstrip() + f",\n\t{VOTER_KEY}\n)"
    version = int(connection.exec_driver_sql("PRAGMA schema_version").scalar() or 0)
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = 'battle'", (changed,)
    )
    connection.exec_driver_sql(f"PRAGMA schema_version={version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema=OFF")


def upgrade() -> None:
    op.create_table(
        "visitor",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_visitor"),
        sa.UniqueConstraint("key", name="uq_visitor_key"),
    )
    op.create_index("ix_visitor_created_at", "visitor", ["created_at"])
    op.create_table(
        "issued_to",
        sa.Column("network", sa.String(40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("issued", sa.Integer(), nullable=False),
        sa.Column("votes", sa.Integer(), nullable=False),
        sa.Column("issued_in_hour", sa.Integer(), nullable=False),
        sa.Column("votes_in_hour", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("network", name="pk_issued_to"),
    )
    op.create_index("ix_issued_to_day", "issued_to", ["day"])
    op.create_table(
        "network_salt",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_network_salt"),
    )
    op.create_table(
        "completion",
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("entrant_id", sa.Integer(), nullable=False),
        sa.Column("issued", sa.Integer(), nullable=False),
        sa.Column("voted", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["track.id"], name="fk_completion_track_id_track"),
        sa.ForeignKeyConstraint(
            ["entrant_id"], ["entrant.id"], name="fk_completion_entrant_id_entrant"
        ),
        sa.PrimaryKeyConstraint("track_id", "day", "entrant_id", name="pk_completion"),
    )
    op.create_table(
        "completion_progress",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("battle_id", sa.BigInteger(), nullable=False),
        sa.Column("vote_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_completion_progress"),
    )
    # The battles of visitors have the id that their voter will have.
    if op.get_bind().dialect.name == "sqlite":
        _rewrite_battle("remove")
    else:
        op.drop_constraint("fk_battle_voter_id_voter", "battle", type_="foreignkey")


def downgrade() -> None:
    # Before this, whoever was shown a battle was a voter.
    op.execute(
        "INSERT INTO voter (id, key, kind, created_at) "
        "SELECT id, key, 'person', created_at FROM visitor"
    )
    if op.get_bind().dialect.name == "sqlite":
        _rewrite_battle("add")
    else:
        op.create_foreign_key("fk_battle_voter_id_voter", "battle", "voter", ["voter_id"], ["id"])
    for table in ("completion_progress", "completion", "network_salt", "issued_to", "visitor"):
        op.drop_table(table)
