"""Uncertainty of a fit: covariances, intervals, bootstrap, profile likelihood and ranks.

Start with `uncertainty.intervals`; `vote_scores` and `clusters` hold the sandwich estimator.
May import: `ratings.model`, `ratings.votes`, `ratings.arrays`, `ratings.errors`.
"""
