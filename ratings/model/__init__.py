"""Models of a vote: Bradley-Terry with the tie models, sequential Elo.

Start with `bradley_terry`. `outcomes` has the probabilities of the answers under each tie rule,
`design` the likelihood of vote counts, `newton` its maximum, `connectivity` which models can be
compared, `refit` fits to similar counts, `covariates` properties of the clips.
May import: `ratings.votes`, `ratings.arrays`, `ratings.errors`, `ratings.schema`.
"""
