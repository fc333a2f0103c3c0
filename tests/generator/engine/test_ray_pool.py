"""Retries and replacements of actors, with a stand-in for Ray whose actors run in this process."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from small_clips import entrant_of

from engine_runs import PROMPTS, requests_for
from generator.clips import ClipRequest, FailedClip
from generator.engine import ray as engine_ray
from generator.engine.schedule import Schedule
from generator.errors import BackendError


class ActorDiedError(Exception):
    """Stands for `ray.exceptions.RayActorError`."""


class ObjectLostError(Exception):
    """Stands for `ray.exceptions.ObjectLostError`."""


Make = Callable[[ClipRequest], None]


class Actor:
    """An actor that starts after `start` and makes a clip after `make`; either may raise."""

    def __init__(self, start: Callable[[], None], make: Make) -> None:
        def make_clip(request: ClipRequest) -> str:
            make(request)
            return request.prompt_id

        self.ready = SimpleNamespace(remote=lambda: lambda: self._call(start))
        self.make = SimpleNamespace(
            remote=lambda request: lambda: self._call(lambda: make_clip(request))
        )
        self._dead = False

    def _call(self, method: Callable[[], Any]) -> Any:
        if self._dead:
            raise ActorDiedError("dead")
        try:
            return method()
        except Exception:
            self._dead = True
            raise


def run(
    *, start: Callable[[], None] = lambda: None, make: Make = lambda _: None, actors: int = 2
) -> dict[str, bool]:
    """Whether the clip of each prompt was made, by `actors` actors."""
    ray = SimpleNamespace(
        exceptions=SimpleNamespace(RayActorError=ActorDiedError, ObjectLostError=ObjectLostError),
        wait=lambda references, num_returns: (references[:num_returns], references[num_returns:]),
        get=lambda reference: reference(),
        kill=lambda actor: None,
    )
    actor_class = SimpleNamespace(remote=lambda: Actor(start, make))
    requests = requests_for(entrant_of("folder", path="/clips"))
    pool = engine_ray.ActorPool(ray, actor_class, Schedule(requests))
    for _ in range(actors):
        pool.start_actor()
    outcomes: list[Any] = list(pool.run())
    made = [clip for clip in outcomes if not isinstance(clip, FailedClip)]
    failed = [clip.request.prompt_id for clip in outcomes if isinstance(clip, FailedClip)]
    assert len(outcomes) == len(requests)
    return dict.fromkeys(made, True) | dict.fromkeys(failed, False)


ALL = {f"p{number}": True for number in range(len(PROMPTS))}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_ray, "RETRY_PAUSE_S", 0)


@pytest.mark.parametrize("actors", [1, 2, 4])
def test_every_clip_is_made_once(actors: int) -> None:
    assert run(actors=actors) == ALL


def test_a_clip_that_ends_two_actors_fails_and_the_others_are_made() -> None:
    def make(request: ClipRequest) -> None:
        if request.prompt_id == "p1":
            raise ActorDiedError("out of memory")

    assert run(make=make) == ALL | {"p1": False}


@pytest.mark.parametrize("error", [ActorDiedError, ObjectLostError])
def test_a_clip_that_is_lost_once_is_made_again(error: type[Exception]) -> None:
    lost: set[str] = set()

    def make(request: ClipRequest) -> None:
        if request.prompt_id in ("p0", "p2") and request.prompt_id not in lost:
            lost.add(request.prompt_id)
            raise error("lost")

    assert run(make=make, actors=1) == ALL
    assert lost == {"p0", "p2"}


def test_actors_that_fail_to_start_are_replaced_up_to_a_limit() -> None:
    failures = iter([ActorDiedError("no machine")] * 3)

    def start() -> None:
        for error in failures:
            raise error

    assert run(start=start) == ALL

    def never_start() -> None:
        raise ActorDiedError("no machine")

    with pytest.raises(BackendError, match="No actor starts on the cluster: no machine"):
        run(start=never_start)
