"""Battles and votes.

Start with `ballots`, which issues battles and accepts votes; `answering` does so for many voters in
one transaction. `issuing` decides which battle a voter sees, `matchmaking` draws the pair, and
`battles` and `votes` write their tables. `limits`, `watching` and `reveals` are the rules,
`fetches` knows what was sent, `served_files` finds it, `reports` handles battles that do not play,
and `snapshots` reads the last leaderboard. May import: `arena.catalog`, `arena.database`,
`arena.media`, `arena.models`, `arena.settings`, `arena.errors`.
"""
