"""honey pairs."""

import sqlalchemy as sa

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

REASON = "a damaged copy, which this version does not know"


def upgrade() -> None:
    op.add_column("clip", sa.Column("damage", sa.String(20), nullable=True))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    kind = (
        "json_extract(provenance, '$.options.damage')"
        if is_sqlite
        else "provenance -> 'options' ->> 'damage'"
    )
    # The copies that a downgrade left. Without one, no seed is below 0.
    op.execute(f"UPDATE clip SET damage = {kind} WHERE seed < 0")  # noqa: S608
    op.execute(f"DELETE FROM withheld_clip WHERE reason = '{REASON}'")  # noqa: S608


def downgrade() -> None:
    # An older version would show copies as clips, and count votes on them.
    op.execute(
        "INSERT INTO withheld_clip (clip_id, cause, reason, withheld_at) "  # noqa: S608
        f"SELECT id, 'operator', '{REASON}', created_at FROM clip WHERE damage IS NOT NULL "
        "AND id NOT IN (SELECT clip_id FROM withheld_clip)"
    )
    op.execute(
        "UPDATE battle SET state = 'expired' WHERE sampler = 'honey' AND state IN ('open', 'ahead')"
    )
    # What seals cover of a vote stays the same.
    op.execute(
        "UPDATE vote SET picture_only = true WHERE battle_id IN "
        "(SELECT id FROM battle WHERE sampler = 'honey')"
    )
    # Not by a copy of the table, which SQLite refuses while battles refer to its rows.
    op.execute("ALTER TABLE clip DROP COLUMN damage")
