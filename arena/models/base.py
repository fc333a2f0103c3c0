"""What all tables share: the types of columns, and the base class."""

import enum
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    DateTime,
    Dialect,
    Enum,
    Integer,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on every database; SQLite itself stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


JsonDocument = JSON().with_variant(JSONB(), "postgresql")
# Of tables that may have more than 2^31 rows. SQLite's integers have 64 bits, and only an INTEGER
# that is a primary key numbers its rows.
BigId = BigInteger().with_variant(Integer(), "sqlite")


@compiles(String, "postgresql")
def _compile_text(kind: String, compiler: Any, **options: Any) -> str:
    sql = f"VARCHAR({kind.length})" if kind.length else "VARCHAR"
    is_column = isinstance(options.get("type_expression"), Column)
    return f'{sql} COLLATE "C"' if is_column and kind.collation is None else sql


@compiles(JSON, "postgresql")
def _compile_json(_kind: JSON, _compiler: Any, **_options: Any) -> str:
    return "JSONB"


def string_enum(kind: type[enum.StrEnum]) -> Enum:
    """An enum column that stores the values as text, with a CHECK on every database."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
        name=kind.__name__.lower(),
    )


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads it from the class)
        datetime: UtcDateTime,
        date: Date,
        dict[str, Any]: JsonDocument,
        list[str]: JsonDocument,
    }
