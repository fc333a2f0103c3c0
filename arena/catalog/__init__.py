"""Tracks, entrants and prompts: what competes, and in what.

Start with `tracks`, `entrants` and `prompts`, which write these tables; `schemas` validates their
files, and `index` has in memory what battles may show. May import:
`arena.models`, `arena.errors` and the names of the tie rules in `ratings`.
"""
