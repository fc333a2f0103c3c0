"""Seals over the votes, signed and chained, and the checks of what they promise.

Start with `seals`, which makes them; `merkle` is the tree (RFC 6962), `leaves` what a leaf says of
a vote, `keys` who signs, `chain` checks a chain without a database, `database_check` a database
against its seals, `job` makes seals in the background. `blindness` measures whether what is served
says which model made a clip; only it imports `generator`. May import: `arena.standings`,
`arena.catalog`, `arena.context`, `arena.database`, `arena.models`, `arena.errors`.
"""
