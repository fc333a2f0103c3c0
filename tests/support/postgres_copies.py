"""Copies of one database of PostgreSQL, used one after the other.

Copying a database means a thousand files, and dropping it the same again. A copy that is given back
gets the rows of the original instead, and another name, by which nothing in memory knows it. If its
tables are others than those of the original, it is dropped.
"""

import secrets

import psycopg

from postgres_server import ROLE, PostgresServer

# Whatever statements of tests may have changed besides rows.
SHAPE = """
SELECT md5(string_agg(part, '|' ORDER BY part)) FROM (
  SELECT concat_ws(' ', relname, relkind, relpersistence, relowner, relacl, reloptions) AS part
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
  UNION ALL
  SELECT concat_ws(' ', relname, attname, atttypid, attnotnull, attnum, atthasdef)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0
  UNION ALL
  SELECT concat_ws(' ', conrelid::regclass, conname, contype, convalidated)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL
  SELECT concat_ws(' ', tgrelid::regclass, tgenabled, count(*))
    FROM pg_trigger GROUP BY tgrelid, tgenabled
  UNION ALL
  SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL
  SELECT concat_ws(' ', setrole, setconfig)
    FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase
    WHERE datname = current_database()
) AS parts
"""
NAMES = """
SELECT quote_ident(relname) FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind = %s ORDER BY relname
"""
END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class PostgresCopies:
    """Copies of a database, which itself stays as it is.

    Args:
        server: has the database.
        original: the database's name.
    """

    def __init__(self, server: PostgresServer, original: str) -> None:
        self._server, self._original = server, original
        self._free: list[str] = []
        self._rows: dict[str, bytes] = {}
        with self._connect(original) as connection:
            self._shape = connection.execute(SHAPE).fetchone()
            self._tables = [name for (name,) in connection.execute(NAMES, ["r"])]
            for table in self._tables:
                with connection.cursor().copy(f"COPY {table} TO STDOUT (FORMAT BINARY)") as copy:
                    data = b"".join(bytes(part) for part in copy)
                if connection.execute(f"SELECT EXISTS (SELECT FROM {table})").fetchone() == (True,):  # type: ignore[call-overload]  # noqa: S608
                    self._rows[table] = data
            self._counters = [
                (name, connection.execute(f"SELECT last_value, is_called FROM {name}").fetchone())  # type: ignore[call-overload]  # noqa: S608
                for (name,) in connection.execute(NAMES, ["S"]).fetchall()
            ]

    def _connect(self, database: str) -> psycopg.Connection:
        server = self._server
        return psycopg.connect(
            host=str(server.folder), port=server.port, user=ROLE, dbname=database
        )

    def take(self) -> str:
        """Return the name of a copy that nobody uses."""
        if not self._free:
            return self._server.create_database(template=self._original)
        name = f"test_{secrets.token_hex(6)}"
        self._server.execute(f'ALTER DATABASE "{self._free.pop()}" RENAME TO "{name}"')
        return name

    def give_back(self, name: str) -> None:
        """Take a copy back, whatever was done with it."""
        if self._restore(name):
            self._free.append(name)
        else:
            self._server.drop_database(name)

    def _restore(self, name: str) -> bool:
        with self._connect(name) as connection:
            connection.execute(END_OTHERS)
            if connection.execute(SHAPE).fetchone() != self._shape:
                return False
            connection.execute("SET session_replication_role = replica")  # no trigger, no key
            connection.execute("; ".join(f"DELETE FROM {each}" for each in self._tables))  # type: ignore[call-overload]  # noqa: S608
            for table, data in self._rows.items():
                with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(data)
            for counter, state in self._counters:
                connection.execute("SELECT setval(%s, %s, %s)", [counter, *(state or ())])
        return True
