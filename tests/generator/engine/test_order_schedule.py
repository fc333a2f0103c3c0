"""Which clips are ordered at once: within the limits of accounts, in turn among entrants."""

from pathlib import Path

import pytest
from small_clips import entrant_of

from engine_runs import requests_for
from generator.backends import OrderLimit, order_limit
from generator.engine.schedule import OrderSchedule, is_ordered, order_limits
from generator.spec import Entrant

PROMPTS = ("one", "two", "three")


def named(name: str, **options: object) -> Entrant:
    return entrant_of("folder", path=f"/{name}", **options).model_copy(update={"name": name})


def test_models_of_one_account_share_its_places_and_take_turns() -> None:
    first, second, other = named("First"), named("Second"), named("Other")
    requests = [r for each in (first, second, other) for r in requests_for(each, PROMPTS)]
    limits = {
        first.key: OrderLimit("shared", 3),
        second.key: OrderLimit("shared", 3),
        other.key: OrderLimit("alone", 1),
    }
    schedule = OrderSchedule(requests, limits)
    taken = schedule.take()
    assert [(task.request.entrant.name, task.request.prompt_id) for task in taken] == [
        ("First", "p0"),
        ("Second", "p0"),
        ("Other", "p0"),
        ("First", "p1"),
    ]
    assert schedule.take() == []
    schedule.release(taken[0])
    (following,) = schedule.take()
    assert following.request.entrant.name in ("First", "Second")


def test_an_order_that_is_put_back_comes_first() -> None:
    entrant = named("First")
    schedule = OrderSchedule(requests_for(entrant, PROMPTS), {entrant.key: OrderLimit("a", 1)})
    (task,) = schedule.take()
    schedule.release(task)
    schedule.put_back(task)
    assert schedule.take() == [task]


def test_backends_that_wait_are_limited_by_account(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "https://api.example.com/v1"
    waits = entrant_of("openai", base_url=address, model="m", concurrency=7, api_key_env="A_KEY")
    assert order_limit(waits) == OrderLimit(f"{address} A_KEY", 7)
    computes = entrant_of("folder", path="/clips")
    assert order_limit(computes) is None
    broken = entrant_of("openai", base_url="nowhere", model="m")
    assert order_limit(broken) == OrderLimit(broken.key, 1)  # its clips fail with the reason
    requests = [*requests_for(waits, PROMPTS), *requests_for(computes, PROMPTS)]
    limits = order_limits(requests)
    assert [is_ordered(request, limits) for request in requests] == [True] * 3 + [False] * 3


def test_shipped_models_behind_one_key_share_an_account(tmp_path: Path) -> None:
    options = {"provider": "dashscope", "api_key_env": "A_KEY"}
    accounts = {
        getattr(order_limit(entrant_of("api", model=model, **options)), "account", None)
        for model in ("happyhorse-1.0", "happyhorse-1.1")
    }
    assert accounts == {"dashscope-intl.aliyuncs.com A_KEY"}
