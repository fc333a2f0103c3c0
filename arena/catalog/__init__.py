"""Tracks, entrants and prompts: what competes, and in what.

Start with `catalog`, which writes these tables; `entries` holds the checked forms of their files.
May import: `arena.models`, `arena.errors`.
"""
