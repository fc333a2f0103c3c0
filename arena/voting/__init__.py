"""Battles and votes.

Start with `ballots`, which issues battles and takes votes; `matchmaking` draws the pair.
May import: `arena.catalog`, `arena.models`, `arena.errors`.
"""
