"""Tracks, entrants and prompts: what competes, and in what.

Start with `catalog`, which writes these tables; `schemas` validates their files. May import:
`arena.models`, `arena.errors` and the names of the tie rules in `ratings`.
"""
