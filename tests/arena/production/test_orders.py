"""Clips of paid services are ordered once: after a kill at any step, and by two runs at once."""

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest
from killed_orders import order_states, produce, run_and_kill
from sqlalchemy import select
from typer.testing import CliRunner

from arena import production
from arena.catalog.entrants import add_entrant
from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import add_track
from arena.commands.cli import app
from arena.context import Arena, make_arena, utc_now
from arena.models import Clip, ClipOrder, ClipStatus, OrderState
from arena.production.orders import StoredOrders
from generator.backends.openai.client import VideosApi
from generator.clips import FailedClip, GeneratedClip
from generator.media import encode_master
from playable import bar_clip, settings_for
from small_arena import START, entrant_entry, track_entry
from video_servers import Reply, Scripted, VideoShop, scripted

pytestmark = [
    pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning"),
    # A child is forked as a program that is killed; it starts no threads of its own before.
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

TRACK = "paid"


@pytest.fixture(scope="module")
def video_file() -> bytes:
    return encode_master(bar_clip(1))


@pytest.fixture
def shop(video_file: bytes) -> VideoShop:
    return VideoShop(video_file)


@pytest.fixture
def server(shop: VideoShop) -> Iterator[Scripted]:
    with scripted(shop) as running:
        yield running


@pytest.fixture
def arena(tmp_path: Path, server: Scripted, monkeypatch: pytest.MonkeyPatch) -> Arena:
    """An arena with one model behind the server and one prompt."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    made = make_arena(settings_for(tmp_path), None)
    add_model(made, server.base_url)
    return made


def add_model(arena: Arena, address: str, *, prompts: int = 1, **options: object) -> None:
    backend = {"kind": "openai", "base_url": address, "model": "m", "poll_s": 0.02} | options
    entry = entrant_entry("Alder", tracks=(TRACK,), backend=backend)
    with arena.database.writing() as session:
        track = track_entry(TRACK, modality="text-to-video", audio=False)
        add_track(session, track, now=START)
        asked = [
            PromptEntry(id=f"p{number}", text="a horse", tracks=(TRACK,))
            for number in range(prompts)
        ]
        import_prompts(session, asked, now=START)
        add_entrant(session, entry, now=START)


def is_ready(arena: Arena) -> bool:
    with arena.database.reading() as session:
        return session.scalars(select(Clip.status)).all() == [ClipStatus.READY]


@pytest.mark.parametrize(
    ("owner", "method", "after"),
    [
        (StoredOrders, "begin", True),
        (StoredOrders, "accepted", True),
        (StoredOrders, "waiting", True),
        (VideosApi, "_wait", True),
        (VideosApi, "_read", False),
        (VideosApi, "_read", True),
        (StoredOrders, "ended", True),
        (StoredOrders, "release", True),
    ],
)
def test_a_killed_run_continues_its_order(
    arena: Arena, server: Scripted, owner: type, method: str, after: bool
) -> None:
    run_and_kill(arena, owner, method, after=after)
    assert not is_ready(arena)
    (clip,) = produce(arena)
    assert isinstance(clip, GeneratedClip), clip
    assert server.times("POST", "/videos") == 1
    assert is_ready(arena)
    assert order_states(arena) == [OrderState.RECEIVED]
    assert produce(arena) == []


@pytest.mark.parametrize(
    ("owner", "method", "after", "sent"),
    [
        (StoredOrders, "placing", True, 0),
        (VideosApi, "_send_order", True, 1),
        (StoredOrders, "accepted", False, 1),
    ],
)
def test_an_order_whose_id_is_not_stored_is_ordered_again_only_on_request(
    arena: Arena, server: Scripted, owner: type, method: str, after: bool, sent: int
) -> None:
    run_and_kill(arena, owner, method, after=after)
    (clip,) = produce(arena)
    assert isinstance(clip, FailedClip)
    assert clip.maybe_billed
    assert "may have been billed" in clip.reason
    assert server.times("POST", "/videos") == sent
    assert order_states(arena) == [OrderState.UNKNOWN]
    assert produce(arena) == []  # left out
    (clip,) = produce(arena, order_again=True)
    assert isinstance(clip, GeneratedClip)
    assert server.times("POST", "/videos") == sent + 1
    assert order_states(arena) == [OrderState.UNKNOWN, OrderState.RECEIVED]


def test_two_runs_at_once_order_each_clip_once(
    tmp_path: Path, shop: VideoShop, server: Scripted
) -> None:
    arena = make_arena(settings_for(tmp_path), None)
    add_model(arena, server.base_url, prompts=6)
    barrier = Barrier(2)
    clips: list[GeneratedClip | FailedClip] = []

    def run() -> None:
        barrier.wait()
        clips.extend(produce(arena))

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.times("POST", "/videos") == 6
    made = [clip.request.prompt_id for clip in clips if isinstance(clip, GeneratedClip)]
    assert sorted(made) == [f"p{number}" for number in range(6)]
    others = [clip for clip in clips if isinstance(clip, FailedClip)]
    assert all(clip.missing and "Another run" in clip.reason for clip in others)
    assert order_states(arena) == [OrderState.RECEIVED] * 6


def test_a_video_that_is_not_finished_in_time_is_waited_for_by_the_next_run(
    tmp_path: Path, shop: VideoShop, server: Scripted
) -> None:
    shop.polls = 10**6
    arena = make_arena(settings_for(tmp_path), None)
    add_model(arena, server.base_url, timeout_s=0.3)
    (clip,) = produce(arena)
    assert isinstance(clip, FailedClip)
    assert "generate again to continue it" in clip.reason
    assert server.times("DELETE", "/videos/video_0") == 0
    shop.polls = 1
    (clip,) = produce(arena)
    assert isinstance(clip, GeneratedClip)
    assert server.times("POST", "/videos") == 1


def test_an_order_that_the_service_has_forgotten_is_reported(
    arena: Arena, shop: VideoShop, server: Scripted
) -> None:
    run_and_kill(arena, StoredOrders, "accepted", after=True)
    shop.forgotten.add("video_0")
    (clip,) = produce(arena)
    assert isinstance(clip, FailedClip)
    assert "There is no such video" in clip.reason
    assert clip.maybe_billed
    assert order_states(arena) == [OrderState.UNKNOWN]
    assert produce(arena) == []
    assert server.times("POST", "/videos") == 1


def test_a_delivered_video_that_cannot_be_used_is_not_ordered_again_by_itself(
    arena: Arena, shop: VideoShop, server: Scripted
) -> None:
    usable, shop.file = shop.file, b"not a video"
    (clip,) = produce(arena)
    assert isinstance(clip, FailedClip)
    assert produce(arena) == []
    shop.file = usable
    (clip,) = produce(arena, order_again=True)
    assert isinstance(clip, GeneratedClip)
    assert server.times("POST", "/videos") == 2


@pytest.mark.parametrize("status", [400, 402])
def test_a_rejected_order_is_placed_again_by_the_next_run(
    tmp_path: Path, video_file: bytes, status: int
) -> None:
    shop = VideoShop(video_file)
    rejections = [Reply(status, {"error": {"message": "No."}})]
    arena = make_arena(settings_for(tmp_path), None)
    with scripted(lambda *request: rejections.pop() if rejections else shop(*request)) as server:
        add_model(arena, server.base_url)
        (clip,) = produce(arena)
        assert isinstance(clip, FailedClip)
        assert not clip.maybe_billed
        (clip,) = produce(arena)
    assert isinstance(clip, GeneratedClip)
    assert order_states(arena) == [OrderState.REJECTED, OrderState.RECEIVED]


def test_an_order_of_other_settings_is_not_taken_for_this_clip(
    arena: Arena, server: Scripted
) -> None:
    run_and_kill(arena, StoredOrders, "accepted", after=True)
    with arena.database.writing() as session:
        order = session.scalars(select(ClipOrder)).one()
        order.request = order.request | {"seconds": "9"}
    (clip,) = produce(arena)
    assert isinstance(clip, FailedClip)
    assert "placed with other settings" in clip.reason
    assert clip.maybe_billed
    assert server.times("POST", "/videos") == 1


def test_nothing_is_ordered_if_the_order_cannot_be_stored(
    arena: Arena, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    with arena.database.reading() as session:
        pending = production.find_pending(session, seed_key="key")
    monkeypatch.setattr("arena.database.WRITE_WAIT_S", 0.1)
    with arena.database.writing():
        run = production.produce(arena.database, arena.store, pending, workers=0, clock=utc_now)
        monkeypatch.setattr("arena.production.produce_clips.store_clip", lambda *_, **__: None)
        (clip,) = run
    assert isinstance(clip, FailedClip)
    assert "Nothing is ordered" in clip.reason
    assert server.times("POST", "/videos") == 0


def test_orders_are_listed(arena: Arena) -> None:
    empty = CliRunner().invoke(app, ["orders"])
    assert "Nothing was ordered." in empty.output
    produce(arena)
    listed = CliRunner().invoke(app, ["orders", "--format", "csv"])
    header, row = listed.output.splitlines()
    assert header == "id,entrant,track,prompt,seed,state,service_id,when,reason"
    assert row.startswith(f"1,Alder,{TRACK},p0,0,received,video_0,20")
