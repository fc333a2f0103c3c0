"""Models of a vote: Bradley-Terry with the tie models, sequential Elo.

Start with `bradley_terry`; `outcomes` holds the tie rules, `design` and `newton` the solver,
`connectivity` which models can be compared at all.
May import: `ratings.votes`, `ratings.errors`.
"""
