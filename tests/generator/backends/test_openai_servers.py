"""Servers of the OpenAI Videos API that answer in their own ways, and orders that cost money."""

import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread

import pytest
from small_clips import ball_clip, entrant_of, small_track

from generator.backends.openai.messages import read_reason
from generator.backends.openai.statuses import Stage, progress_of, stage_of
from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.engine import generate
from generator.media import encode_rendition
from generator.progress import progress_listener
from generator.spec import Entrant
from video_servers import Reply, Scripted, scripted, video, wait_for

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

TRACK = small_track(audio=False)
NOW = {"retry-after-ms": "1"}
UNKNOWN = "unknown, may have been billed"


@pytest.fixture(scope="module")
def video_file() -> bytes:
    return encode_rendition(ball_clip(), TRACK)


def entrant_at(address: str, **options: object) -> Entrant:
    defaults: dict[str, object] = {"poll_s": 0.02, "max_retries": 2, "model": "m"}
    return entrant_of("openai", **(defaults | {"base_url": address} | options))


def request_to(address: str, **options: object) -> ClipRequest:
    return ClipRequest(entrant_at(address, **options), TRACK, "p1", "a horse", seed=5)


def generate_one(address: str, **options: object) -> GeneratedClip | FailedClip:
    (clip,) = generate([request_to(address, **options)], workers=0)
    return clip


def failure(*replies: Reply, **options: object) -> FailedClip:
    with scripted(replies) as server:
        clip = generate_one(server.base_url, **options)
    assert isinstance(clip, FailedClip)
    assert "\n" not in clip.reason
    return clip


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"detail": "The image is required"}, "The image is required."),
        (
            {"detail": [{"loc": ["body", "size"], "msg": "Field required", "type": "missing"}]},
            "size: Field required.",
        ),
        (
            {"detail": [{"loc": ["body", "a"], "msg": "x"}, {"loc": ["body", "b"], "msg": "y"}]},
            "a: x; b: y.",
        ),
        ({"title": "Bad", "detail": "Too long a prompt", "status": 422}, "Too long a prompt."),
        ({"error": "size is not offered"}, "size is not offered."),
        ({"error": {"code": 7, "msg": "No credits"}}, "No credits."),
        ({"errors": [{"message": "One"}, {"message": "Two"}]}, "One; Two."),
        ({"code": 1102, "message": "Balance too low", "data": None}, "Balance too low."),
        ({"error": {"message": "Bad value", "param": "seconds"}}, "seconds: Bad value."),
        ("model is not loaded", "model is not loaded."),
        (
            "<!DOCTYPE html><html><head><title>403 Forbidden</title><style>p{}</style></head>"
            "<body><h1>403 Forbidden</h1><p>nginx</p></body></html>",
            "403 Forbidden - nginx.",
        ),
        ("", "status 400."),
        ({}, "status 400."),
        (None, "status 400."),
    ],
)
def test_the_reason_of_a_rejection_is_found_in_any_layout(body: object, words: str) -> None:
    clip = failure(Reply(400, body))
    assert clip.reason.endswith(f"rejected the request (400): {words}")
    assert not clip.maybe_billed


def test_a_rejection_with_status_200_is_a_rejection() -> None:
    clip = failure(Reply(200, {"error": {"message": "No such model"}}))
    assert "rejected the request: No such model." in clip.reason
    assert not clip.maybe_billed


def test_control_characters_of_a_server_are_removed() -> None:
    text = "\x1b[31mred\x1b[0m \x1b]0;title\x07a\x00b\u202ec\nd\x9b1mé"
    reason = failure(Reply(400, {"detail": text})).reason
    assert reason.endswith("(400): red abc dé.")
    assert reason.isprintable()
    deep: object = "x"
    for _ in range(200):
        deep = {"error": [deep]}
    assert read_reason(deep) is None


@pytest.mark.parametrize("error", ["out of memory", {"msg": "out of memory"}, None])
def test_the_reason_of_a_failed_video_is_found_in_any_layout(error: object) -> None:
    extra = {} if error else {"failure_reason": "out of memory"}
    clip = failure(Reply(body=video(status="FAILED", error=error, **extra)))
    assert "did not generate the video: out of memory" in clip.reason
    assert not clip.maybe_billed


@pytest.mark.parametrize(
    ("word", "stage"),
    [
        ("queued", Stage.PENDING),
        ("in_progress", Stage.PENDING),
        ("In Progress", Stage.PENDING),
        ("IN-QUEUE", Stage.PENDING),
        ("processing", Stage.PENDING),
        ("succeeded", Stage.COMPLETED),
        ("SUCCESS", Stage.COMPLETED),
        ("completed", Stage.COMPLETED),
        ("failed", Stage.FAILED),
        ("canceled", Stage.FAILED),
        ("expired", Stage.FAILED),
        ("dreaming", Stage.UNKNOWN),
        ("", Stage.UNKNOWN),
        (None, Stage.UNKNOWN),
    ],
)
def test_status_words_of_other_servers_are_understood(word: str | None, stage: Stage) -> None:
    assert stage_of(word) is stage


def test_an_unknown_status_is_waited_for_and_reported(video_file: bytes) -> None:
    replies = [
        Reply(body={"id": "video_1", "object": "video"}),  # without a status
        Reply(body=video(status="warming up")),
        Reply(body=video(status="succeeded")),
        Reply(body=video_file),
    ]
    with scripted(replies) as server:
        clip = generate_one(server.base_url)
    assert isinstance(clip, GeneratedClip), clip
    assert "waited although the status 'warming up' is not known" in clip.provenance.warnings

    waiting = Reply(body=video(status="warming up"))
    with scripted([waiting] * 400) as server:
        late = generate_one(server.base_url, timeout_s=0.3)
        assert server.requests[-1][0] == "DELETE"
    assert isinstance(late, FailedClip)
    assert "video_1 is warming up, a status that is not known" in late.reason


def test_progress_without_a_number_is_ignored(video_file: bytes) -> None:
    states = ["50%", "soon", {"of": 3}, float("nan"), None, True, 75]
    replies = [Reply(body=video(status="processing", progress=value)) for value in states]
    seen: list[float] = []
    with (
        scripted([*replies, Reply(body=video()), Reply(body=video_file)]) as server,
        progress_listener(seen.append),
    ):
        assert isinstance(generate_one(server.base_url), GeneratedClip)
    assert seen == [0.5, 0.75]
    assert progress_of(10**400) == 1


def test_a_file_that_is_not_ready_yet_is_waited_for(video_file: bytes) -> None:
    late = Reply(404, {"detail": "Generation is still in progress"})
    with scripted([Reply(body=video()), late, late, late, Reply(body=video_file)]) as server:
        assert isinstance(generate_one(server.base_url), GeneratedClip)
    assert server.times("POST", "/videos") == 1


@pytest.mark.parametrize(
    "answer",
    [
        Reply(dropped=True),
        Reply(500, {"error": {"message": "Oops."}}, NOW),
        Reply(502, "<html><title>Bad gateway</title></html>", NOW),
        Reply(503, "upstream connect error or disconnect/reset before headers"),
        Reply(504, "", NOW),
        Reply(200, '{"id": "video_'),
        Reply(200, {"data": {"task_id": "t1"}}),
    ],
)
def test_an_order_whose_answer_is_lost_is_sent_once_and_marked(answer: Reply) -> None:
    with scripted([answer, *[Reply(body=video())] * 3]) as server:
        clip = generate_one(server.base_url, max_retries=5)
    assert isinstance(clip, FailedClip)
    assert server.times("POST", "/videos") == 1
    assert UNKNOWN in clip.reason
    assert clip.maybe_billed


def test_an_order_without_an_answer_in_time_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generator.backends.openai.client.REQUEST_TIMEOUT_S", 0.3)
    with silent_server() as (address, connections):
        clip = generate_one(address)
    assert isinstance(clip, FailedClip)
    assert UNKNOWN in clip.reason
    assert clip.maybe_billed
    assert len(connections) == 1


@pytest.mark.parametrize("status", [400, 402, 404, 422, 501])
def test_a_rejected_order_is_not_marked(status: int) -> None:
    with scripted([Reply(status, {"error": {"message": "No."}}), Reply(body=video())]) as server:
        clip = generate_one(server.base_url)
    assert isinstance(clip, FailedClip)
    assert not clip.maybe_billed
    assert server.times("POST", "/videos") == 1


def test_an_order_is_repeated_while_nobody_accepts_connections(video_file: bytes) -> None:
    refused = generate_one("http://127.0.0.1:9/v1", max_retries=1)
    assert isinstance(refused, FailedClip)
    assert not refused.maybe_billed
    assert "cannot be reached" in refused.reason
    busy = Reply(429, {"error": {"message": "Slow down."}}, NOW)
    with scripted([busy, busy, Reply(body=video()), Reply(body=video_file)]) as server:
        assert isinstance(generate_one(server.base_url), GeneratedClip)
    assert server.times("POST", "/videos") == 3


@pytest.mark.parametrize(
    "replies",
    [
        [Reply(body=video(status="queued")), *[Reply(400, {"detail": "Gone."})] * 9],
        [Reply(body=video()), *[Reply(400, {"detail": "No file."})] * 9],
        [Reply(body=video(status="queued"))] * 400,
        [Reply(body=video()), Reply(body=b"", endless=True)],
    ],
)
def test_an_accepted_order_whose_video_is_lost_is_marked(replies: list[Reply]) -> None:
    clip = failure(*replies, timeout_s=1.5, max_download_mib=1)
    assert UNKNOWN in clip.reason
    assert clip.maybe_billed


def test_an_order_is_not_repeated_after_its_worker_died() -> None:
    waiting = Reply(body=video(status="queued"))
    with scripted([waiting] * 5000) as server:
        request = request_to(server.base_url, poll_s=0.1)
        with closing(generate([request], workers=1)) as run:
            watcher = Thread(target=_kill_worker, args=(server,))
            watcher.start()
            clip = next(run)
            watcher.join()
        assert server.times("POST", "/videos") == 1
    assert isinstance(clip, FailedClip)
    assert clip.maybe_billed
    assert UNKNOWN in clip.reason


def _kill_worker(server: Scripted) -> None:
    """Kill the process that polls the server."""
    wait_for(lambda: server.times("GET", "/videos/video_1") > 0)
    (worker,) = (each for each in multiprocessing.active_children() if each.name == "worker")
    worker.kill()


@contextmanager
def silent_server() -> Iterator[tuple[str, list[socket.socket]]]:
    """A server that accepts connections and never answers; yields its address and connections."""
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            try:
                while True:
                    connections.append(listener.accept()[0])
            except OSError:
                return

        Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", connections
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                connection.close()
