"""Exports releases, from which anyone can recompute the leaderboards, and verifies them.

Start with `export` and `verify`; `schema` declares the tables and their columns. May import:
`arena.catalog`, `arena.standings`, `arena.media`, `arena.models`, `arena.errors`.
"""

from arena.release.export import ReleaseSummary, export_release

__all__ = ["ReleaseSummary", "export_release"]
