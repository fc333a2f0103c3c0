"""Rates a file of votes with arena-rank, and prints its ratings as JSON.

It requires other versions of numpy and jax than this project, so it has its own environment:

    python3 -m venv VENV && VENV/bin/pip install arena-rank==0.1.1 pyarrow
    VENV/bin/python tests/support/run_arena_rank.py my-release/votes.parquet
    ARENA_RANK_PYTHON=VENV/bin/python .venv/bin/python -m pytest tests/arena/release/test_peers.py
"""

import json
import sys

import pandas as pd
from arena_rank.models.bradley_terry import BradleyTerry
from arena_rank.utils.data_utils import PairDataset

path = sys.argv[1]
frame = pd.read_parquet(path) if path.endswith(".parquet") else pd.read_csv(path)
dataset = PairDataset.from_pandas(frame)
result = BradleyTerry(n_competitors=len(dataset.competitors)).compute_ratings_and_cis(dataset)
ratings = zip(result["competitors"], result["ratings"], strict=True)
print(json.dumps({name: float(rating) for name, rating in ratings}))  # noqa: T201
