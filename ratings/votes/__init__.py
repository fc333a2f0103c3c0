"""Votes as a table: reading, checking and coding them.

Start with `battles.Battles`, the checked table that everything else takes; `reading` reads files.
May import: `ratings.arrays`, `ratings.errors` only.
"""
