"""Ratings that change over time.

Start with `over_time.over_time`; `dynamic_model` is the likelihood of strengths on a random walk,
`overdispersion` corrects it for voters with several votes.
May import: `ratings.inference`, `ratings.model`, `ratings.votes`, `ratings.errors`.
"""
