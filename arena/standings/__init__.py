"""Leaderboards computed from the stored votes.

Start with `standings`, which computes and stores snapshots.
May import: `arena.catalog`, `arena.models`, `arena.errors` and the package `ratings`.
"""
