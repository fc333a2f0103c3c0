"""Models behind their makers' APIs: each clip is paid once, and nobody pays unasked."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from api_orders import make_entrant
from arena import production
from arena.catalog import catalog
from arena.catalog.schemas import PromptEntry
from arena.commands.cli import app
from arena.context import Arena, make_arena, utc_now
from arena.models import Clip, ClipOrder, ClipStatus, OrderState
from arena.production.orders import StoredOrders
from fake_services import TRANSCRIPTS, FakeService, Reply, serving_service
from generator.backends.api import placing
from generator.backends.api.http import Http
from generator.backends.api.placing import Placing
from generator.clips import FailedClip, GeneratedClip
from generator.media import encode_master
from playable import bar_clip, settings_for
from small_arena import START, entrant_entry, track_entry

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

TRACK = "paid"


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
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Arena:
    """An arena with one model behind the service and three prompts."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr(placing, "RETRY_S", 0.01)
    made = make_arena(settings_for(tmp_path), None)
    name = next(name for name, script in TRANSCRIPTS.items() if script is service.transcript)
    spec = make_entrant(name, service, tmp_path, monkeypatch, concurrency=1)
    backend = {"kind": "api"} | spec.backend.options
    with made.database.writing() as session:
        track = track_entry(TRACK, modality="text-to-video", audio=False)
        catalog.add_track(session, track, now=START)
        prompts = [PromptEntry(id=f"p{n}", text="a horse", tracks=(TRACK,)) for n in range(3)]
        catalog.import_prompts(session, prompts, now=START)
        entry = entrant_entry("Alder", tracks=(TRACK,), backend=backend)
        catalog.add_entrant(session, entry, now=START)
    return made


def produce(arena: Arena, *, count: int = 1) -> list[GeneratedClip | FailedClip]:
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")[:count]
    return list(production.produce(arena.database, arena.store, pending, workers=0, clock=utc_now))


def run_and_kill(arena: Arena, owner: type, method: str, *, after: bool) -> None:
    """Produce a clip in a process that is killed before or after it calls a method."""
    child = os.fork()
    if child == 0:
        arena.database.engine.dispose(close=False)  # the parent's connections
        original: Callable[..., object] = getattr(owner, method)

        def killed(*arguments: object, **options: object) -> None:
            if after:
                original(*arguments, **options)
            os._exit(9)

        setattr(owner, method, killed)
        try:
            produce(arena)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9


def states(arena: Arena) -> list[OrderState]:
    with arena.database.reading() as session:
        return list(session.scalars(select(ClipOrder.state).order_by(ClipOrder.id)))


STEPS = [
    (StoredOrders, "begin", True),
    (StoredOrders, "accepted", True),
    (Placing, "_wait", False),
    (StoredOrders, "waiting", True),
    (Placing, "_wait", True),
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
    run_and_kill(arena, owner, method, after=after)
    (clip,) = produce(arena)
    assert isinstance(clip, GeneratedClip), clip
    assert len(service.orders) == len(service.clips) == 1
    assert states(arena) == [OrderState.RECEIVED]


@pytest.mark.parametrize(("owner", "method", "after"), UNSURE)
def test_a_run_killed_while_it_ordered_leaves_the_order_unknown(
    arena: Arena, service: FakeService, owner: type, method: str, after: bool
) -> None:
    run_and_kill(arena, owner, method, after=after)
    sent = len(service.orders)
    (clip,) = produce(arena)
    assert isinstance(clip, FailedClip)
    assert clip.maybe_billed
    assert len(service.orders) == sent
    assert states(arena) == [OrderState.UNKNOWN]


@pytest.mark.parametrize("service", ["kling", "pixverse"], indirect=True)
@pytest.mark.parametrize(("owner", "method", "after"), UNSURE)
def test_a_run_killed_while_it_ordered_under_a_name_finds_its_order(
    arena: Arena, service: FakeService, owner: type, method: str, after: bool
) -> None:
    run_and_kill(arena, owner, method, after=after)
    (clip,) = produce(arena)
    assert isinstance(clip, GeneratedClip), clip
    assert len(service.clips) == 1  # of one name
    assert states(arena) == [OrderState.RECEIVED]


def test_a_changed_provider_file_does_not_lose_an_order(
    arena: Arena, service: FakeService, tmp_path: Path
) -> None:
    run_and_kill(arena, StoredOrders, "accepted", after=True)
    (path,) = tmp_path.glob("dashscope.toml")
    path.write_text(f"# Prices were checked.\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    (clip,) = produce(arena)
    assert isinstance(clip, GeneratedClip), clip
    assert len(service.orders) == 1


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


def test_a_limit_stops_orders_before_the_sum_passes_it(arena: Arena, service: FakeService) -> None:
    _, text = run("generate", "--max-usd", "0.9", "--limit", "3", "--workers", "1")
    assert "Left out 1 clip" in text, text
    assert len(service.orders) == 2


def test_what_was_ordered_before_is_not_on_the_bill(arena: Arena, service: FakeService) -> None:
    run_and_kill(arena, StoredOrders, "accepted", after=True)
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")
        bill = production.make_bill(session, pending)
    assert bill.total_usd == pytest.approx(2 * 0.42)
    assert [line.continued for line in bill.lines] == [1]


def test_what_was_billed_stands_beside_the_list_price(arena: Arena, service: FakeService) -> None:
    (clip,) = produce(arena)
    assert isinstance(clip, GeneratedClip)
    with arena.database.reading() as session:
        (stored,) = session.scalars(select(Clip).where(Clip.status == ClipStatus.READY))
        provenance = stored.provenance or {}
    assert provenance["cost_usd"] == pytest.approx(0.42)
    assert provenance["billed_usd"] == pytest.approx(0.70)  # the answer says 5 seconds


def test_a_refusal_counts_as_refused(arena: Arena, service: FakeService) -> None:
    service.create_replies = [Reply({"code": "DataInspectionFailed", "message": "no"}, 400)]
    (clip,) = produce(arena)
    assert isinstance(clip, FailedClip)
    assert (clip.refused, clip.maybe_billed) == (True, False)


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
