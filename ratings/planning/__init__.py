"""Which pair to show next, and how many more votes are needed.

Start with `sampling.pair_probabilities` (the next pair) and `planning.plan` (how many votes).
May import: `ratings.inference`, `ratings.model`, `ratings.votes`, `ratings.errors`.
"""
