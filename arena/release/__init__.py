"""The release room: votes and all they refer to, exported so that anyone can compute again."""

from arena.release.export import ReleaseSummary, export_release

__all__ = ["ReleaseSummary", "export_release"]
