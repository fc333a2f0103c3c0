"""The openai backend against the project's own server and a scripted, misbehaving one."""

import gzip
import time
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from PIL import Image
from small_clips import FRAMES, HEIGHT, WIDTH, ball_clip, entrant_of, small_track

from generator.backends.rate_limit import SharedRateLimit
from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.engine import check, generate
from generator.errors import SpecError
from generator.media import decode, encode_rendition
from generator.progress import progress_listener
from generator.spec import Entrant, read_entrant
from generator.waiting import stopped_by
from video_servers import (
    KEY,
    KEY_VARIABLE,
    Reply,
    Served,
    scripted,
    video,
    wait_for,
)

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

TRACK = small_track(audio=False)
PROMPT = "a horse"  # unknown to the built-in model, whose measures would take time
NOW = {"retry-after-ms": "1"}
ADDRESS = "https://api.example.com/v1"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "another-server's")


@pytest.fixture(scope="module")
def video_file() -> bytes:
    return encode_rendition(ball_clip(), TRACK)


def entrant_at(address: str, call: dict[str, object] | None = None, **options: object) -> Entrant:
    defaults: dict[str, object] = {"api_key_env": KEY_VARIABLE, "poll_s": 0.05, "max_retries": 2}
    defaults |= {"model": "tiny-foal", "base_url": address}
    return entrant_of("openai", call=call, **(defaults | options))


def generate_one(entrant: Entrant, **changes: object) -> GeneratedClip | FailedClip:
    source = changes.pop("source", None)
    track = small_track(audio=bool(changes.pop("audio", False)), **changes)
    request = ClipRequest(entrant, track, "p1", PROMPT, seed=5, source=source)  # type: ignore[arg-type]
    (clip,) = generate([request], workers=0)
    return clip


def generated(entrant: Entrant, **changes: object) -> GeneratedClip:
    clip = generate_one(entrant, **changes)
    assert isinstance(clip, GeneratedClip), clip
    return clip


def reason(clip: GeneratedClip | FailedClip) -> str:
    assert isinstance(clip, FailedClip)
    assert clip.reason.count("\n") == 0
    assert KEY not in clip.reason
    return clip.reason


def test_the_downloaded_file_is_the_master(served: Served) -> None:
    entrant = entrant_at(served.base_url).model_copy(update={"price_usd_per_minute": 6.0})
    clip = generated(entrant, audio=True)
    assert clip.request.track.bytes == len(clip.rendition)
    assert decode(clip.rendition).frames.shape == (FRAMES, HEIGHT, WIDTH, 3)
    assert clip.master is not None
    assert decode(clip.master.data).audio is not None
    assert clip.master.suffix == ".mp4"
    provenance = clip.provenance
    assert (provenance.backend, provenance.model) == ("openai", "tiny-foal")
    assert provenance.call == {"model": "tiny-foal", "seconds": "1", "size": "96x64"}
    assert provenance.dropped == {"seed": 5}
    assert not [change for change in provenance.adapted if change.startswith("asked")]
    assert provenance.cost_usd == pytest.approx(0.1)
    assert "openai" in provenance.versions


def test_the_seed_is_sent_if_the_api_supports_it(served: Served) -> None:
    entrant = entrant_at(served.base_url, send_seed=True)
    first, again = generated(entrant), generated(entrant)
    assert first.rendition == again.rendition
    assert first.provenance.call["seed"] == 5
    assert first.provenance.dropped == {}


def test_the_nearest_supported_length_and_size_are_requested_and_fitted(served: Served) -> None:
    entrant = entrant_at(served.base_url, seconds=[8, 2, 4], sizes=["64x96", "144x96", "48x32"])
    clip = generated(entrant, frames=30)
    assert clip.provenance.call["seconds"] == "2"
    assert clip.provenance.adapted == (
        "asked for 2 s instead of 1.25 s",
        "asked for 144x96 instead of 96x64",
        "scaled 144x96 to 96x64",
        "cut 48 to 30 frames",
        "dropped the sound",
    )


def test_call_arguments_override_the_track(served: Served) -> None:
    entrant = entrant_at(served.base_url, {"seconds": 1.5, "size": "64x64", "audio": False})
    provenance = generated(entrant).provenance
    assert provenance.call["audio"] is False
    assert provenance.adapted[:2] == (
        "asked for 1.5 s instead of 1 s",
        "asked for 64x64 instead of 96x64",
    )


def test_the_first_image_is_sent_at_the_size_of_the_video(served: Served, tmp_path: Path) -> None:
    Image.new("RGB", (200, 300)).save(tmp_path / "first.jpg")
    track = {"name": "image-to-video", "modality": "image-to-video"}
    clip = generated(entrant_at(served.base_url), source=tmp_path / "first.jpg", **track)
    assert clip.provenance.backend == "openai"
    assert "has no source" in reason(generate_one(entrant_at(served.base_url), **track))


def test_a_rejection_by_the_server_is_the_reason_of_the_failure(served: Served) -> None:
    assert "rejected the request (400): Unknown model 'x'" in reason(
        generate_one(entrant_at(served.base_url, model="x"))
    )


def test_a_spec_file_is_enough(served: Served, tmp_path: Path) -> None:
    (tmp_path / "tiny-foal").mkdir()  # a folder of this name beside the spec is not the model
    (tmp_path / "spec.toml").write_text(
        'name = "Far Foal"\ncreator = "Nobody"\nlicence = "MIT"\ntracks = ["text-to-video"]\n'
        f'[backend]\nkind = "openai"\nbase_url = "{served.base_url}"\nmodel = "tiny-foal"\n'
        f'api_key_env = "{KEY_VARIABLE}"\n',
        encoding="utf-8",
    )
    entrant = read_entrant(tmp_path / "spec.toml")
    check(entrant, TRACK)
    assert generated(entrant).provenance.model == "tiny-foal"


def test_requests_to_a_busy_server_are_retried(video_file: bytes) -> None:
    busy = Reply(429, {"error": {"message": "Slow down."}}, {"retry-after": "0.4"})
    down = Reply(503, {"error": {"message": "Starting."}}, NOW)
    broken = Reply(500, {"error": {"message": "Oops."}}, NOW)
    usage = {"usage": {"tokens": 3}}
    half = Reply(body=video(status="in_progress", progress=50))
    replies = [
        busy,
        down,
        half,
        broken,
        Reply(body=video(**usage)),
        broken,
        Reply(body=video_file),
    ]
    progress: list[float] = []
    started = time.monotonic()
    with scripted(replies) as server, progress_listener(progress.append):
        clip = generated(entrant_at(server.base_url, api_key_env=None))
    assert time.monotonic() - started > 0.4  # as requested by Retry-After
    assert clip.master is not None
    assert clip.master.data == video_file
    assert clip.provenance.usage == {"tokens": 3}
    assert progress == [0.5]
    assert server.times("POST", "/videos") == 3


def test_retries_are_limited() -> None:
    with scripted([Reply(503, {"error": {"message": "Down."}}, NOW)] * 5) as server:
        assert "failed (503): Down." in reason(generate_one(entrant_at(server.base_url)))
    assert server.times("POST", "/videos") == 3
    assert "cannot be reached" in reason(generate_one(entrant_at(server.base_url, max_retries=0)))


def test_the_reason_of_a_refusal_does_not_contain_the_key() -> None:
    refusal = {"code": "moderation_blocked", "message": f"Not\nallowed for {KEY}."}
    with scripted([Reply(body=video(status="failed", error=refusal))]) as server:
        message = reason(generate_one(entrant_at(server.base_url)))
    assert "did not generate the video: Not allowed for …. (moderation_blocked)" in message
    with scripted([Reply(400, {"error": {"message": f"No: {KEY}"}})]) as server:
        assert "rejected the request (400): No: …" in reason(
            generate_one(entrant_at(server.base_url))
        )
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("moderation_blocked", True),
        ("sentinel_block", True),
        ("invalid_request", False),
        ([1], False),
    ],
)
def test_content_refusals_are_distinguished_from_failures(code: object, refused: bool) -> None:
    error = {"code": code, "message": "No."}
    for reply in (Reply(body=video(status="failed", error=error)), Reply(400, {"error": error})):
        with scripted([reply]) as server:
            clip = generate_one(entrant_at(server.base_url))
        assert isinstance(clip, FailedClip)
        assert clip.refused is refused


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ([Reply(body=video()), Reply(body=b"not a video")], "is not an MP4"),
        ([Reply(body=video()), Reply(body=b"", endless=True)], "more than 1 MiB"),
        ([Reply(body={"hello": "world"})], "not a video of the OpenAI Videos API"),
        ([Reply(body=b"<html>")], "not a video of the OpenAI Videos API"),
        ([Reply(body=b" " * (5 * 2**20))], "more than 4 MiB of JSON"),
        (
            [Reply(body=gzip.compress(b" " * 2**20), headers={"content-encoding": "gzip"})],
            "compresses its responses",
        ),
        (
            [Reply(body=video()), Reply(302, {}, {"location": "http://localhost:9/secret"})],
            "to another host",
        ),
    ],
)
def test_an_invalid_response_is_rejected(replies: list[Reply], message: str) -> None:
    with scripted(replies) as server:
        assert message in reason(generate_one(entrant_at(server.base_url, max_download_mib=1)))


def test_invalid_values_from_the_server_are_made_storable(
    video_file: bytes,
) -> None:
    odd = video() | {"seconds": "1.5e307", "usage": {"note": "\ud83d \0", "of": float("nan")}}
    with scripted([Reply(body=odd), Reply(body=video_file)]) as server:
        entrant = entrant_at(server.base_url).model_copy(update={"price_usd_per_minute": 6.0})
        clip = generate_one(entrant)
    assert isinstance(clip, GeneratedClip)
    assert clip.provenance.cost_usd == pytest.approx(0.1)
    assert clip.provenance.usage == {"note": "? \N{REPLACEMENT CHARACTER}", "of": "nan"}
    error = {"code": "server_error", "message": "\ud83d broke"}
    with scripted([Reply(body=video(status="failed", error=error))]) as server:
        reason(generate_one(entrant_at(server.base_url))).encode()


def test_a_redirect_on_the_same_host_is_followed(video_file: bytes) -> None:
    moved = Reply(307, {}, {"location": "/v1/files/1"})
    with scripted([Reply(body=video()), moved, Reply(body=video_file)]) as server:
        master = generated(entrant_at(server.base_url)).master
        assert master is not None
        assert master.data == video_file
    assert server.times("GET", "/files/1") == 1


def test_a_video_that_exceeds_the_timeout_is_deleted() -> None:
    waiting = Reply(body=video(status="queued"))
    with scripted([waiting] * 200) as server:
        message = reason(generate_one(entrant_at(server.base_url, timeout_s=0.12)))
    assert "took more than 0.12 s" in message
    assert server.requests[-1][:2] == ("DELETE", "/v1/videos/video_1")


def test_an_interrupted_run_deletes_its_unfinished_video() -> None:
    waiting = Reply(body=video(status="queued"))
    with scripted([waiting] * 1000) as server:
        unfinished = ClipRequest(entrant_at(server.base_url), TRACK, "p1", "a ball", seed=0)
        elsewhere = entrant_at("http://127.0.0.1:9/v1", max_retries=0)
        failing = ClipRequest(elsewhere, TRACK, "p2", "a ball", seed=0)
        with closing(generate([unfinished, failing], workers=2)) as run:
            assert isinstance(next(run), FailedClip)
            wait_for(lambda: server.times("GET", "/videos/video_1") > 0)
        assert server.times("DELETE", "/videos/video_1") == 1


def stopped_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of day, which passes only while somebody sleeps."""
    clock = [1_000_000_000.0]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("generator.backends.rate_limit.time.time", lambda: clock[0])

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr("generator.waiting.time.sleep", sleep)
    return clock


def waited(clock: list[float], server: str) -> float:
    before = clock[0]
    SharedRateLimit(server, per_minute=6).wait()
    return clock[0] - before


def test_the_rate_limit_is_shared_between_limiters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = stopped_clock(tmp_path, monkeypatch)
    waits = [waited(clock, "a server") for _ in range(3)] + [waited(clock, "another server")]
    assert waits == pytest.approx([0, 10, 10, 0], abs=0.1)


def test_the_rate_limit_ignores_slots_in_the_far_future(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = stopped_clock(tmp_path, monkeypatch)
    waited(clock, "a server")
    clock[0] -= 1e6
    assert waited(clock, "a server") == 0


def test_what_is_stopped_while_it_waits_for_a_slot_leaves_none_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = stopped_clock(tmp_path, monkeypatch)
    waited(clock, "a server")
    stop = Event()
    stop.set()
    with stopped_by(stop), pytest.raises(SystemExit):
        SharedRateLimit("a server", per_minute=6).wait()
    assert waited(clock, "a server") == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize(
    ("options", "call", "message"),
    [
        ({"base_url": "ftp://example.com"}, {}, r"backend\.base_url is wrong"),
        ({"base_url": "https://me:secret@example.com/v1"}, {}, "not contain a user, password"),
        ({"model": ""}, {}, r"backend\.model is wrong"),
        ({"api_key_env": "NOT_SET_ANYWHERE"}, {}, "NOT_SET_ANYWHERE is not set"),
        ({"api_key_env": "sk-proj-abcdef0123456789"}, {}, "api_key_env looks like an API key"),
        ({"api_key_env": "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4"}, {}, "looks like an API key"),
        ({"api_key": "x"}, {}, "api_key looks like an API key"),
        ({}, {"token": "sk-proj-abcdef0123456789"}, "token looks like an API key"),
        ({"speed": 3}, {}, r"backend\.speed is not an option"),
        (
            {"sizes": ["big"]},
            {},
            r"backend\.sizes is wrong \('big' should be a size",
        ),
        ({"seconds": [0.5]}, {}, "at most 0.5 s and the track text-to-video needs 1 s"),
        ({}, {"seconds": "soon"}, r"backend\.call\.seconds is 'soon'"),
        ({}, {"size": "big"}, r"backend\.call\.size is 'big'"),
        ({}, {"prompt": "x"}, r"backend\.call\.prompt is set by the request"),
        ({"poll_s": 0}, {}, r"backend\.poll_s is wrong"),
    ],
)
def test_an_invalid_spec_is_rejected_before_any_request(
    options: dict[str, object], call: dict[str, object], message: str
) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        check(entrant_at(ADDRESS, call, **options), TRACK)
    assert "abcdef0123456789" not in str(caught.value)


def test_base_url_is_required_and_video_edit_is_not_supported() -> None:
    with pytest.raises(SpecError, match=r"backend\.base_url is missing"):
        check(entrant_of("openai", model="m"), TRACK)
    edit = small_track(audio=False, name="video-edit", modality="video-edit")
    with pytest.raises(SpecError, match="does not support video-edit"):
        check(entrant_at(ADDRESS), edit)


def test_concurrency_limits_the_number_of_workers() -> None:
    from generator.backends import find_backend

    assert find_backend(entrant_at(ADDRESS)).workers == 4
    assert find_backend(entrant_at(ADDRESS, concurrency=2)).workers == 2
