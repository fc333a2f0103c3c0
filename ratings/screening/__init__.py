"""Tests for voters whose votes look automated, careless or rigged.

Start with `anomalies.screen_voters`; `voter_tests` and `voter_habits` hold the single tests.
May import: `ratings.inference`, `ratings.model`, `ratings.votes`, `ratings.errors`.
"""
