"""Clips made on a Ray cluster equal those of this process, even if a node is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_runs import outcome, requests_for
from generator.engine import generate
from generator.errors import SpecError
from generator.spec import read_entrant

pytest.importorskip("ray")


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of processes on this machine, with a head node that takes no work."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield made
    finally:
        made.shutdown()


@pytest.mark.timeout(600)
def test_a_cluster_that_loses_a_node_makes_every_clip(cluster: Any, tiny_foal: Path) -> None:
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    prompts = tuple(f"a horse jumps {number}" for number in range(8))
    requests = requests_for(read_entrant(tiny_foal), prompts)
    run = generate(requests, ray=cluster.address, workers=2)
    first = next(run)
    cluster.remove_node(nodes[0], allow_graceful=False)
    made = outcome(run) | outcome(iter([first]))
    assert made == outcome(generate(requests, workers=0))


def test_an_unreachable_cluster_is_reported_in_one_sentence(tiny_foal: Path) -> None:
    requests = requests_for(read_entrant(tiny_foal))
    with pytest.raises(SpecError, match=r"No Ray cluster answers at 127\.0\.0\.1:1"):
        next(generate(requests, ray="127.0.0.1:1"))
