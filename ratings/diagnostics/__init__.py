"""Diagnostics: whether the model fits, and how reliable its results are.

Start with `goodness` (fit), `reliability` (repeated votes) and `fragility` (of the first place).
May import: `ratings.inference`, `ratings.model`, `ratings.votes`, `ratings.errors`.
"""
