"""`/metrics` is readable by Prometheus and counts what it says, without tokens or names."""

import time
from typing import Any

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from playable import TRACK
from small_arena import NAMES

FAMILIES = {
    "arena_votes": "counter",
    "arena_votes_unchecked_watch_time": "counter",
    "arena_battles": "counter",
    "arena_request_seconds": "histogram",
}


def read_metrics(client: httpx.Client) -> dict[str, Metric]:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    return {name: family for name, family in families.items() if not name.endswith("_created")}


def value(metrics: dict[str, Metric], sample: str, **labels: str) -> float:
    """A sample's value; 0 where it has not been counted yet."""
    family = metrics[sample.removesuffix("_total").removesuffix("_count")]
    found = [
        one.value
        for one in family.samples
        if one.name == sample and labels.items() <= one.labels.items()
    ]
    return sum(found)


def test_metrics_name_and_describe_every_family(voter: httpx.Client) -> None:
    metrics = read_metrics(voter)
    assert {name: family.type for name, family in metrics.items()} == FAMILIES
    assert all(family.documentation for family in metrics.values())


def watch(voter: httpx.Client, battle: dict[str, Any]) -> None:
    for side in ("a", "b"):
        assert voter.get(battle[side]["video"]).status_code == 200
    time.sleep(battle["min_watch_ms"] / 1000)


def test_metrics_count_battles_votes_and_unchecked_watch_times(voter: httpx.Client) -> None:
    before = read_metrics(voter)
    battle = voter.post("/api/v1/battles", json={"track": TRACK}).json()
    watch(voter, battle)
    for watched_ms in ({"a": 900, "b": 1000}, {"a": 899, "b": 1000}, None):
        vote = {"choice": "tie", "watched_ms": watched_ms}
        answer = voter.post(f"/api/v1/battles/{battle['token']}/vote", json=vote)
        assert answer.status_code == 200
        battle = answer.json()["next"]
        watch(voter, battle)
    after = read_metrics(voter)

    def increase(sample: str, **labels: str) -> float:
        return value(after, sample, **labels) - value(before, sample, **labels)

    assert increase("arena_battles_total", track=TRACK) == 1
    assert increase("arena_votes_total", choice="tie") == 3
    assert increase("arena_votes_total", choice="skip") == 0
    assert increase("arena_votes_unchecked_watch_time_total") == 2
    route = "/api/v1/battles/{token}/vote"
    assert increase("arena_request_seconds_count", route=route, status="200") == 3


def test_metrics_are_by_route_and_contain_no_token_and_no_entrant(voter: httpx.Client) -> None:
    battle = voter.post("/api/v1/battles", json={"track": TRACK}).json()
    voter.get(battle["a"]["video"])
    voter.get("/clip/some-forged-name.mp4")
    voter.get("/no-such-page-of-the-api", headers={"Accept": "application/json"})
    voter.get("/api/v1/no-such-route")
    text = voter.get("/metrics").text
    assert 'route="/clip/{name}"' in text
    assert 'route="unknown"' in text
    for word in (battle["token"], battle["a"]["video"], "forged", "no-such", *NAMES):
        assert word not in text
