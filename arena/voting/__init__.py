"""Battles and votes.

Start with `ballots`, which issues battles and accepts votes; `matchmaking` draws the pair, `limits`
and `reveals` are its rules. May import: `arena.catalog`, `arena.models`, `arena.settings`,
`arena.errors`.
"""
