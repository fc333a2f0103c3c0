"""Battles and votes.

Start with `ballots`, which issues battles and accepts votes; `battles` opens and prefetches them,
`matchmaking` draws the pair, `limits`, `watching` and `reveals` are its rules, `fetches` knows what
was sent, `reports` handles battles that do not play. May import: `arena.catalog`,
`arena.database`, `arena.media`, `arena.models`, `arena.settings`, `arena.errors`.
"""
