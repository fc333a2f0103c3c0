"""Leaderboards computed from the stored votes, and production statistics of the clips.

Start with `standings`, which computes and stores snapshots; `boards` declares the columns. May
import: `arena.catalog`, `arena.models`, `arena.errors` and the package `ratings`.
"""
