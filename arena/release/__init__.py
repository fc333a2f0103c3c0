"""Exports releases, from which anyone can recompute the leaderboards, and verifies them.

Start with `export` and `verify`; `schema` declares the tables and their columns; `publish` and
`closing` write what the arena serves, `layouts` the files of other published sets. May import:
`arena.catalog`, `arena.audit`, `arena.standings`, `arena.context` and what is below them.
"""

from arena.release.export import ReleaseSummary, export_release

__all__ = ["ReleaseSummary", "export_release"]
