"""Votes as a table: read, check and encode them.

Start with `battles.Battles`, the checked table that everything else uses; `reading` reads files,
`columns` checks and encodes them, `cluster_columns` and `periods` group votes.
May import: `ratings.arrays` and `ratings.errors` only.
"""
