"""Does the model fit, and how far can its result be trusted?

Start with `goodness` (fit), `reliability` (repeated votes) and `fragility` (votes that decide).
May import: `ratings.inference`, `ratings.model`, `ratings.votes`, `ratings.errors`.
"""
