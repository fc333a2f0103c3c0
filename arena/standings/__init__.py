"""Leaderboards computed from the stored votes, and production statistics of the clips.

Start with `standings`, which shows a leaderboard; `rated_votes` selects the votes that count,
`snapshots` computes and stores, `boards` declares the columns. May import: `arena.catalog`,
`arena.database`, `arena.voting.limits` (how far clocks may differ), `arena.models`, `arena.errors`
and the package `ratings`.
"""
