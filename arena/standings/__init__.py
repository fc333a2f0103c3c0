"""Leaderboards computed from the stored votes, and production statistics of the clips.

Start with `standings`, which shows a leaderboard, and `job`, which keeps its snapshot as new as the
votes. `vote_reader` reads votes into the arrays of `vote_arrays`, `rated_votes` selects those that
count, `snapshots` computes and stores, `details` measures how far the numbers can be trusted,
`boards` declares the columns. May import: `arena.catalog`,
`arena.database`, `arena.voting.limits` (how far clocks may differ), `arena.models`, `arena.errors`
and the package `ratings`.
"""
