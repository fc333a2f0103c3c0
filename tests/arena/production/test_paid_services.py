"""Models behind their makers' APIs: each clip is paid once, and nobody pays unasked."""

import multiprocessing
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from killed_orders import order_states, produce, run_and_kill
from paid_arena import TRACK, make_paid_arena
from sqlalchemy import select
from typer.testing import CliRunner

from arena import production
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import PromptEntry
from arena.commands.cli import app
from arena.context import Arena, make_arena, utc_now
from arena.models import Clip, ClipOrder, ClipStatus, Entrant, OrderState
from arena.production.orders import StoredOrders
from fake_services import KEY, TRANSCRIPTS, FakeService, Reply, serving_service
from generator.backends.api.delivering import Delivering
from generator.backends.api.http import Http
from generator.backends.api.provider import parse_provider
from generator.clips import FailedClip, GeneratedClip
from generator.engine.process import POST_PROCESSOR
from generator.media import encode_master
from playable import bar_clip, settings_for
from small_arena import START
from video_servers import wait_for

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture(scope="module")
def video_file() -> bytes:
    return encode_master(bar_clip(1))


@pytest.fixture(params=["dashscope"])
def service(request: pytest.FixtureRequest, video_file: bytes) -> Iterator[FakeService]:
    with serving_service(FakeService(TRANSCRIPTS[request.param], video_file)) as running:
        yield running


@pytest.fixture
def arena(
    tmp_path: Path,
    service: FakeService,
    monkeypatch: pytest.MonkeyPatch,
) -> Arena:
    """An arena with one model behind the service and three prompts."""
    return make_paid_arena(tmp_path, service, monkeypatch)


STEPS = [
    (StoredOrders, "begin", True),
    (StoredOrders, "accepted", True),
    (Delivering, "_wait", False),
    (StoredOrders, "waiting", True),
    (Delivering, "_wait", True),
    (Http, "download", False),
    (Http, "download", True),
    (StoredOrders, "ended", True),
    (StoredOrders, "release", True),
]
UNSURE = [
    (StoredOrders, "placing", True),
    (Http, "request", True),
    (StoredOrders, "accepted", False),
]


@pytest.mark.parametrize(("owner", "method", "after"), STEPS)
def test_a_run_killed_at_any_step_and_continued_pays_once(
    arena: Arena, service: FakeService, owner: type, method: str, after: bool
) -> None:
    run_and_kill(arena, owner, method, after=after, count=1)
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, GeneratedClip), clip
    assert len(service.orders) == len(service.clips) == 1
    assert order_states(arena) == [OrderState.RECEIVED]


@pytest.mark.parametrize(("owner", "method", "after"), UNSURE)
def test_a_run_killed_while_it_ordered_leaves_the_order_unknown(
    arena: Arena, service: FakeService, owner: type, method: str, after: bool
) -> None:
    run_and_kill(arena, owner, method, after=after, count=1)
    sent = len(service.orders)
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, FailedClip)
    assert clip.maybe_billed
    assert len(service.orders) == sent
    assert order_states(arena) == [OrderState.UNKNOWN]


@pytest.mark.parametrize("service", ["kling", "pixverse"], indirect=True)
@pytest.mark.parametrize(("owner", "method", "after"), UNSURE)
def test_a_run_killed_while_it_ordered_under_a_name_finds_its_order(
    arena: Arena, service: FakeService, owner: type, method: str, after: bool
) -> None:
    run_and_kill(arena, owner, method, after=after, count=1)
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, GeneratedClip), clip
    assert len(service.clips) == 1  # of one name
    assert order_states(arena) == [OrderState.RECEIVED]


@pytest.mark.parametrize("service", ["ltx-sync"], indirect=True)
@pytest.mark.parametrize(
    ("owner", "method", "after"),
    [(Http, "request", True), (StoredOrders, "ended", True), (StoredOrders, "release", True)],
)
def test_a_file_that_came_with_the_answer_to_a_killed_run_is_not_ordered_again(
    arena: Arena, service: FakeService, owner: type, method: str, after: bool
) -> None:
    run_and_kill(arena, owner, method, after=after, count=1)
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, FailedClip)
    assert clip.maybe_billed
    assert len(service.orders) == len(service.clips) == 1


def test_a_changed_provider_file_does_not_lose_an_order(
    arena: Arena, service: FakeService, tmp_path: Path
) -> None:
    run_and_kill(arena, StoredOrders, "accepted", after=True, count=1)
    (path,) = tmp_path.glob("dashscope.toml")
    path.write_text(f"# Prices were checked.\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, GeneratedClip), clip
    assert len(service.orders) == 1


def test_a_process_holds_all_waiting_orders_within_the_limit_of_the_account(
    arena: Arena, service: FakeService
) -> None:
    service.together = service.most_waiting = 0
    allow(arena, at_once=2)
    service.together = 2  # no order is done before two wait
    clips = produce(arena, workers=1)
    assert [getattr(clip, "reason", None) for clip in clips] == [None] * 3
    assert len(service.orders) == len(service.clips) == 3
    assert service.most_waiting == 2


def test_when_the_process_of_the_orders_is_killed_another_one_continues_them(
    arena: Arena, service: FakeService
) -> None:
    allow(arena, at_once=3)
    service.together = 4  # not before the kill
    killer = Thread(target=kill_once, args=(arena, service, "worker"))
    killer.start()
    clips = produce(arena, workers=1)
    killer.join()
    assert [getattr(clip, "reason", None) for clip in clips] == [None] * 3
    assert len(service.orders) == len(service.clips) == 3
    assert order_states(arena) == [OrderState.RECEIVED] * 3


def test_orders_go_on_when_all_post_processors_are_killed(
    arena: Arena, service: FakeService
) -> None:
    allow(arena, at_once=3)
    service.together = 4
    niceness: set[int] = set()
    killer = Thread(target=kill_once, args=(arena, service, POST_PROCESSOR, niceness))
    killer.start()
    clips = produce(arena, workers=1)
    killer.join()
    assert niceness == {os.nice(0)}  # they give way to nobody: no model computes here
    assert [getattr(clip, "reason", None) for clip in clips] == [None] * 3
    assert len(service.orders) == len(service.clips) == 3


def test_a_run_that_is_stopped_gives_up_its_claims_and_a_later_one_continues_its_orders(
    arena: Arena, service: FakeService
) -> None:
    allow(arena, at_once=3)
    service.together = 4
    service.create_replies = [Reply({"code": "DataInspectionFailed", "message": "no"}, 400)]
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")
    run = production.produce(arena.database, arena.store, pending, workers=1, clock=utc_now)
    assert isinstance(next(run), FailedClip)
    wait_for_orders(arena, 2)
    run.close()  # as Ctrl-C does
    assert multiprocessing.active_children() == []
    with arena.database.reading() as session:
        assert set(session.scalars(select(ClipOrder.holder))) == {None}
    assert order_states(arena).count(OrderState.ACCEPTED) == 2
    service.together = 0
    produce(arena, workers=1)
    received = order_states(arena).count(OrderState.RECEIVED)
    assert received == len(service.clips) >= 2


def allow(arena: Arena, *, at_once: int) -> None:
    """Let the model's account have that many orders at once."""
    with arena.database.writing() as session:
        entrant = session.scalars(select(Entrant)).one()
        entrant.backend = entrant.backend | {"concurrency": at_once}


def wait_for_orders(arena: Arena, count: int) -> None:
    """Wait until that many orders are accepted, and their ids stored."""
    wait_for(lambda: order_states(arena).count(OrderState.ACCEPTED) >= count)


def kill_once(
    arena: Arena, service: FakeService, name: str, niceness: set[int] | None = None
) -> None:
    """Kill the processes of a name once three orders wait; the orders are done afterwards."""
    wait_for_orders(arena, 3)
    for process in multiprocessing.active_children():
        if process.name == name:
            if niceness is not None:
                niceness.add(psutil.Process(process.pid).nice())
            process.kill()
            process.join()
    service.together = 0


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output + str(result.exception or "")


def test_a_dry_run_prints_the_bill_and_orders_nothing(arena: Arena, service: FakeService) -> None:
    status, text = run("generate", "--dry-run")
    assert status == 0
    assert "Alder" in text
    assert "1.26" in text  # three clips of 3 s at 0.14 US dollars a second
    assert "Nothing was ordered" in text
    assert service.requests == []


def test_nobody_pays_unasked(arena: Arena, service: FakeService) -> None:
    status, text = run("generate", "--workers", "1")
    assert status == 1
    assert "3 clips for 1.26 US dollars" in text
    assert service.requests == []


def test_nobody_pays_unasked_for_clips_that_are_generated_again(
    arena: Arena, service: FakeService
) -> None:
    produce(arena, count=1)
    sent = len(service.requests)
    assert "nothing to generate again" in run("generate", "--recheck", "1")[1]
    status, text = run("generate", "--recheck", "1", "--entrant", "Alder")
    assert status == 1
    assert "1 clip for 0.42 US dollars" in text
    assert run("generate", "--recheck", "1", "--entrant", "Alder", "--max-usd", "0.4")[0] == 0
    assert len(service.requests) == sent


def test_a_limit_stops_orders_before_the_sum_passes_it(arena: Arena, service: FakeService) -> None:
    _, text = run("generate", "--max-usd", "0.9", "--limit", "3", "--workers", "1")
    assert "Left out 1 clip" in text, text
    assert len(service.orders) == 2


def test_the_provider_file_is_read_once_for_the_bill_of_many_clips(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    read = tomllib.loads

    def noted(text: str) -> dict[str, Any]:
        texts.append(text)
        return read(text)

    monkeypatch.setattr(tomllib, "loads", noted)
    parse_provider.cache_clear()
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")
        bill = production.make_bill(session, pending * 20)
    assert sum(line.clips for line in bill.lines) == 60
    assert len([text for text in texts if "base_url" in text]) == 1


def test_what_was_ordered_before_is_not_on_the_bill(arena: Arena, service: FakeService) -> None:
    run_and_kill(arena, StoredOrders, "accepted", after=True, count=1)
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")
        bill = production.make_bill(session, pending)
    assert bill.total_usd == pytest.approx(2 * 0.42)
    assert [line.continued for line in bill.lines] == [1]


def test_what_was_billed_stands_beside_the_list_price(arena: Arena, service: FakeService) -> None:
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, GeneratedClip)
    with arena.database.reading() as session:
        (stored,) = session.scalars(select(Clip).where(Clip.status == ClipStatus.READY))
        provenance = stored.provenance or {}
    assert provenance["cost_usd"] == pytest.approx(0.42)
    assert provenance["billed_usd"] == pytest.approx(0.70)  # the answer says 5 seconds


def test_a_key_in_a_services_error_is_not_stored(arena: Arena, service: FakeService) -> None:
    service.create_replies = [Reply({"code": "InvalidApiKey", "message": f"Bad {KEY}"}, 401)]
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, FailedClip)
    with arena.database.reading() as session:
        (order,) = session.scalars(select(ClipOrder))
        (stored,) = session.scalars(select(Clip))
        texts = f"{clip.reason} {stored.failure} {order.reason} {order.request}"
    assert "check the key" in texts
    assert KEY not in texts


def test_a_prompt_beyond_the_limit_stands_on_the_bill_with_its_length(
    arena: Arena, service: FakeService
) -> None:
    with arena.database.writing() as session:
        long = PromptEntry(id="long", text="x" * 2501, tracks=(TRACK,))
        import_prompts(session, [long], now=START)
    status, text = run("generate", "--dry-run")
    assert status == 0
    assert "2,501 characters" in text
    assert service.requests == []


def test_two_runs_at_once_order_each_clip_once(arena: Arena, service: FakeService) -> None:
    barrier = Barrier(2)
    made: list[GeneratedClip | FailedClip] = []

    def run_once() -> None:
        barrier.wait()
        made.extend(produce(arena))

    threads = [Thread(target=run_once) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.orders) == len(service.clips) == 3
    assert order_states(arena) == [OrderState.RECEIVED] * 3
    ready = {clip.request.prompt_id for clip in made if isinstance(clip, GeneratedClip)}
    assert ready == {"p0", "p1", "p2"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refused_clip_is_ordered_again_only_on_request(
    arena: Arena, service: FakeService, when: str
) -> None:
    if when == "before":
        service.create_replies = [Reply({"code": "DataInspectionFailed", "message": "no"}, 400)]
    else:
        service.final = service.transcript.refused_after
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, FailedClip)
    assert (clip.refused, clip.maybe_billed) == (True, False)
    assert order_states(arena) == [OrderState.REFUSED]
    service.final = None
    assert {clip.request.prompt_id for clip in produce(arena)} == {"p1", "p2"}
    assert "Left out 1 clip that their services refused" in run("generate", "--yes")[1]
    assert produce(arena) == []
    assert len(service.orders) == 3
    (clip,) = produce(arena, order_again=True)
    assert isinstance(clip, GeneratedClip)
    assert clip.request.prompt_id == "p0"
    assert order_states(arena)[0] is OrderState.REFUSED


def test_a_run_that_is_killed_after_a_refusal_does_not_order_again(
    arena: Arena, service: FakeService
) -> None:
    service.final = service.transcript.refused_after
    run_and_kill(arena, StoredOrders, "release", after=True, count=1)
    service.final = None
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, FailedClip)
    assert clip.refused
    assert len(service.orders) == 1


@pytest.mark.parametrize("service", ["runway"], indirect=True)
def test_a_refusal_that_is_billed_is_shown_as_refused(arena: Arena, service: FakeService) -> None:
    service.final = service.transcript.refused_after
    (clip,) = produce(arena, count=1)
    assert isinstance(clip, FailedClip)
    assert (clip.refused, clip.maybe_billed) == (True, True)
    assert order_states(arena) == [OrderState.REFUSED]
    with arena.database.reading() as session:
        left_out = production.count_left_out(session)
    assert (left_out.refused, left_out.maybe_billed) == (1, 0)


def test_providers_are_listed_with_price_and_key(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARK_API_KEY", raising=False)
    status, text = run("providers", "--format", "csv")
    assert status == 0, text
    lines = text.splitlines()
    assert any(line.startswith("dashscope,happyhorse-1.0,paid,0.42") for line in lines)
    assert any("ARK_API_KEY not set" in line for line in lines)


def test_a_shipped_entrant_is_added_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    make_arena(settings_for(tmp_path), None)
    status, text = run("entrants", "add", "happyhorse-1.0")
    assert status == 1
    assert "track" in text  # the arena has none of its tracks
    status, text = run("entrants", "add", "nobody-4.0")
    assert status == 1
    assert "seedance-2.5" in text


def test_an_own_provider_file_is_trusted_by_its_host(
    arena: Arena, service: FakeService, tmp_path: Path
) -> None:
    host = service.api.removeprefix("http://")
    (tmp_path / "mine.toml").write_text(
        'name = "Birch"\ncreator = "Grove"\nlicence = "none"\n'
        f'tracks = ["{TRACK}"]\n[backend]\nkind = "api"\nprovider = "./dashscope.toml"\n'
        'model = "happyhorse-1.0"\n',
        encoding="utf-8",
    )
    status, text = run("entrants", "add", str(tmp_path / "mine.toml"))
    assert status == 1
    assert f"--trust-host {host}" in text
    assert "DASHSCOPE_API_KEY" in text
    assert "0.14" in text
    status, text = run("entrants", "add", str(tmp_path / "mine.toml"), "--trust-host", host)
    assert status == 0, text
    assert "Added Birch" in text
