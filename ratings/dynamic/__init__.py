"""Ratings that change over time.

Start with `over_time.over_time`.
May import: `ratings.inference`, `ratings.model`, `ratings.votes`, `ratings.errors`.
"""
