"""The OpenAI Videos API of a running server, used through the official client."""

import base64
import signal
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import httpx
import openai
import pytest
from PIL import Image

from generator.media import decode, probe
from generator.serve.errors import NotFound
from generator.serve.schemas import Video, VideoError
from generator.serve.service import VideoService
from generator.serve.store import VideoStore
from video_servers import KEY, Served, serving, wait_for

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")

SMALL = {"size": "64x48", "seconds": "0.5"}


def image_file(image_format: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (80, 60), (200, 40, 40)).save(buffer, image_format)
    return buffer.getvalue()


def make(served: Served, prompt: str = "a red ball bounces", **changes: object) -> Video:
    params = SMALL | {"model": "tiny-foal"} | changes
    video = served.client.videos.create_and_poll(prompt=prompt, poll_interval_ms=100, **params)  # type: ignore[arg-type]
    assert video.status == "completed", video
    return video  # type: ignore[return-value]


@pytest.fixture(scope="module")
def made(served: Served) -> Video:
    return make(served, extra_body={"seed": 7})


def rejected(served: Served, **params: object) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        served.client.videos.create(**({"prompt": "a ball", "model": "tiny-foal"} | params))  # type: ignore[arg-type]
    assert 400 <= caught.value.status_code < 500
    assert isinstance(caught.value.body, dict)
    assert {"message", "type", "param", "code"} <= set(caught.value.body)
    return caught.value


def test_a_video_is_created_polled_and_downloaded(served: Served, made: Video) -> None:
    assert (made.size, made.seconds, made.model) == ("64x48", "0.5", "tiny-foal")
    assert made.progress == 100
    assert made.expires_at is not None
    assert made.completed_at is not None
    assert made.expires_at > made.completed_at
    clip = decode(served.client.videos.download_content(made.id).read())
    assert clip.frames.shape == (12, 48, 64, 3)
    assert clip.audio is not None  # it has a track with sound


def test_the_seed_determines_the_video_and_is_random_by_default(
    served: Served, made: Video
) -> None:
    again = make(served, model="Tiny Foal", extra_body={"seed": 7})
    other = make(served)
    files = [served.client.videos.download_content(v.id).read() for v in (made, again, other)]
    assert files[0] == files[1]
    assert files[0] != files[2]
    assert again.seed == 7


def test_size_and_length_have_defaults_and_sound_can_be_omitted(served: Served) -> None:
    created = served.client.videos.create(
        prompt="a ball", model="tiny-foal", extra_body={"audio": False, "fps": 12}
    )
    assert (created.size, created.seconds, created.status) == ("256x256", "3", "queued")
    done = served.client.videos.poll(created.id, poll_interval_ms=100)
    info = probe(served.client.videos.download_content(done.id).read())
    assert (info.width, info.frames, info.fps, info.audio_codec) == (256, 36, 12, None)


def test_thumbnail_and_sprite_sheet(served: Served, made: Video) -> None:
    expected = {"thumbnail": ("WEBP", (64, 48)), "spritesheet": ("JPEG", (256, 144))}
    for variant, properties in expected.items():
        data = served.client.videos.download_content(made.id, variant=variant).read()  # type: ignore[arg-type]
        with Image.open(BytesIO(data)) as image:
            assert (image.format, image.size) == properties


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_an_uploaded_image_is_accepted(served: Served, image_format: str) -> None:
    video = make(
        served, input_reference=(f"first.{image_format.lower()}", image_file(image_format))
    )
    assert probe(served.client.videos.download_content(video.id).read()).frames == 12


def test_json_with_a_data_url_is_accepted(served: Served) -> None:
    url = f"data:image/png;base64,{base64.b64encode(image_file()).decode()}"
    body = SMALL | {"model": "tiny-foal", "prompt": "a ball", "input_reference": {"image_url": url}}
    video = served.client.post("/videos", body=body, cast_to=openai.types.Video)
    assert served.client.videos.poll(video.id, poll_interval_ms=100).status == "completed"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"model": "sora-9"}, "model"),
        ({"model": openai.omit}, "model"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"size": "big"}, "size"),
        ({"size": "63x64"}, "size"),
        ({"size": "9000x9000"}, "size"),
        ({"seconds": "soon"}, "seconds"),
        ({"seconds": "-1"}, "seconds"),
        ({"seconds": "21"}, "seconds"),
        ({"seconds": "1e400"}, "seconds"),
        ({"seconds": "1e30000000"}, "seconds"),  # a number that takes minutes to format
        ({"extra_body": {"fps": "1e30000000"}}, "fps"),
        ({"extra_body": {"seed": -1}}, "seed"),
        ({"extra_body": {"colour": "red"}}, "colour"),
        ({"input_reference": b"not an image"}, "input_reference"),
        ({"input_reference": image_file()[:90]}, "input_reference"),
        ({"input_reference": image_file(), "model": "slow-foal"}, "input_reference"),
        ({"extra_body": {"input_reference": "http://127.0.0.1/"}}, "input_reference"),
    ],
)
def test_an_invalid_parameter_is_named(
    served: Served, params: dict[str, object], param: str
) -> None:
    error = rejected(served, **params)
    assert error.param == param
    assert param in error.message
    assert error.message.count("\n") == 0


def test_a_form_with_an_unknown_charset_is_rejected(served: Served) -> None:
    kind = "multipart/form-data; boundary=x; charset=undefined"
    body = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na\r\n--x--\r\n'
    headers = {"content-type": kind, "authorization": f"Bearer {KEY}"}
    response = httpx.post(f"{served.base_url}/videos", content=body, headers=headers)
    assert response.status_code == 400
    assert "charset" in response.json()["error"]["message"]


def test_an_upload_that_is_too_large_is_rejected(served: Served) -> None:
    error = rejected(served, input_reference=bytes(2**20 + 1))
    assert (error.status_code, error.param) == (413, "input_reference")


def test_an_unknown_id_is_404(served: Served) -> None:
    videos = served.client.videos
    for method in (videos.retrieve, videos.delete, videos.download_content):
        with pytest.raises(openai.NotFoundError, match="'video_0' does not exist"):
            method("video_0")
    with pytest.raises(openai.NotFoundError):
        videos.list(after="video_0")


def test_unsupported_methods_are_rejected(served: Served, made: Video) -> None:
    videos = served.client.videos
    for method in (
        lambda: videos.remix(made.id, prompt="x"),
        lambda: videos.edit(prompt="x", video=b"x"),
        lambda: videos.extend(prompt="x", seconds="4", video=b"x"),
        lambda: videos.create_character(name="x", video=b"x"),
        lambda: videos.get_character("x"),
    ):
        with pytest.raises(openai.BadRequestError, match="not supported"):
            method()


def test_videos_are_paginated(served: Served, made: Video) -> None:
    make(served)
    newest = [video.id for video in served.client.videos.list(limit=1)]
    oldest = [video.id for video in served.client.videos.list(limit=2, order="asc")]
    assert newest == oldest[::-1]
    assert len(newest) == len(set(newest)) >= 2
    page = served.client.videos.list(limit=1)
    assert (len(page.data), page.has_more, page.last_id) == (1, True, newest[0])
    with pytest.raises(openai.BadRequestError, match="limit"):
        served.client.videos.list(limit=0)


def test_a_missing_file_is_404(tmp_path: Path) -> None:
    store = VideoStore(tmp_path, keep=9, keep_s=9)
    service = VideoService(None, store, None)  # type: ignore[arg-type]
    fields = {
        "model": "m",
        "created_at": 0,
        "prompt": "p",
        "seconds": "1",
        "size": "2x2",
        "seed": 0,
    }
    store.put(Video(id="video_1", status="completed", completed_at=store.now(), **fields))
    with pytest.raises(NotFound, match="is missing"):
        service.file("video_1")


def test_a_video_whose_record_cannot_be_written_is_not_added(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file where the folder should be", encoding="utf-8")
    store = VideoStore(tmp_path / "occupied", keep=9, keep_s=9)
    fields = {
        "model": "m",
        "created_at": 0,
        "prompt": "p",
        "seconds": "1",
        "size": "2x2",
        "seed": 0,
    }
    with pytest.raises(OSError, match="occupied"):
        store.put(Video(id="video_1", **fields))
    assert store.all() == []


def test_a_deleted_video_is_404(served: Served) -> None:
    video = make(served)
    assert served.client.videos.delete(video.id).deleted
    with pytest.raises(openai.NotFoundError):
        served.client.videos.download_content(video.id)


def test_models_are_the_entrants(served: Served) -> None:
    models = served.client.models.list().data
    assert [(model.id, model.owned_by) for model in models] == [
        ("tiny-foal", "Nobody"),
        ("slow-foal", "Nobody"),
    ]
    with pytest.raises(openai.NotFoundError):
        served.client.models.retrieve("sora-9")


def test_only_the_health_check_works_without_the_key(served: Served) -> None:
    client = served.client.with_options(api_key="wrong")
    with pytest.raises(openai.AuthenticationError):
        client.videos.list()
    with pytest.raises(openai.AuthenticationError):
        client.videos.create(prompt="a ball")
    health = served.client.with_options(base_url=served.base_url.removesuffix("/v1"))
    assert health.get("/healthz", cast_to=object) == {"status": "ok"}


def start_slow_video(served: Served) -> str:
    """Start a video that takes a minute, and return its id."""
    video = served.client.videos.create(prompt="slow", model="slow-foal", **SMALL)  # type: ignore[arg-type]
    wait_for(lambda: served.client.videos.retrieve(video.id).progress > 0)
    return video.id


def test_a_killed_worker_fails_only_its_video(served: Served) -> None:
    video = start_slow_video(served)
    running = served.client.videos.retrieve(video)
    assert (running.status, running.progress) == ("in_progress", 45)  # one of two steps
    served.worker().kill()
    failed = served.client.videos.poll(video, poll_interval_ms=50)
    assert failed.status == "failed"
    assert failed.error is not None
    assert "exit code -9" in failed.error.message
    with pytest.raises(openai.BadRequestError, match="exit code -9"):
        served.client.videos.download_content(video)
    make(served)


def test_a_full_queue_sends_retry_after_and_accepts_videos_after_a_cancellation(
    served: Served,
) -> None:
    running = start_slow_video(served)
    waiting = [
        served.client.videos.create(prompt="a ball", model="tiny-foal", **SMALL).id  # type: ignore[arg-type]
        for _ in range(2)
    ]
    error = rejected(served, **SMALL)
    assert error.status_code == 429
    assert int(error.response.headers["retry-after"]) >= 1
    with pytest.raises(openai.BadRequestError, match="queued"):
        served.client.videos.download_content(waiting[0])
    worker = served.worker()
    served.client.videos.delete(waiting[1])
    served.client.videos.delete(running)
    assert served.client.videos.poll(waiting[0], poll_interval_ms=50).status == "completed"
    assert not worker.is_running()
    for deleted in (waiting[1], running):
        with pytest.raises(openai.NotFoundError):
            served.client.videos.retrieve(deleted)


def test_ctrl_c_stops_the_server_and_its_worker_and_deletes_its_folder(
    tiny_foal: Path,
) -> None:
    # Not below `tmp_path`, which may be too long for the fork server's socket.
    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", temporary)
        with serving(tiny_foal) as server:
            video = server.client.videos.create(prompt="a ball", size="512x512", seconds="8")  # type: ignore[arg-type]
            wait_for(lambda: server.client.videos.retrieve(video.id).status == "in_progress")
            worker = server.worker()
            server.process.send_signal(signal.SIGINT)
            assert server.process.wait(timeout=120) == 0
            assert server.process.stderr is not None
            assert server.process.stderr.read() == ""
        assert not worker.is_running()
        assert list(Path(temporary).glob("videos-*")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.toml"], "entrant file none.toml does not exist"),
        (["SPEC", "SPEC"], "Two entrants are called tiny-foal"),
        (["SPEC", "--api-key-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE is not set"),
    ],
)
def test_a_startup_error_is_one_line(tiny_foal: Path, arguments: list[str], message: str) -> None:
    command = [str(tiny_foal) if word == "SPEC" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "generator", "serve", *command],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def record(name: str, **changes: object) -> Video:
    fields = {"id": f"video_{name}", "model": "m", "created_at": 0, "prompt": "p"}
    return Video.model_validate(fields | {"seconds": "1", "size": "64x48", "seed": 0} | changes)


def test_old_videos_are_deleted_and_all_expire(tmp_path: Path) -> None:
    now = [0.0]
    store = VideoStore(tmp_path, keep=2, keep_s=100, clock=lambda: now[0])
    for second, name in enumerate("abc"):
        now[0] = second
        store.put(record(name))
        store.complete(f"video_{name}", b"video")
    assert [video.id for video in store.all()] == ["video_b", "video_c"]
    assert not store.file("video_a").exists()
    now[0] = 101
    assert [video.id for video in store.all()] == ["video_c"]
    now[0] = 200
    assert store.all() == []
    assert list(tmp_path.iterdir()) == []


def test_videos_survive_a_restart(tmp_path: Path) -> None:
    first = VideoStore(tmp_path, keep=9, keep_s=100)
    for name in ("done", "failed", "waiting"):
        first.put(record(name))
    first.complete("video_done", b"video")
    first.fail("video_failed", VideoError(code="x", message="No."))
    (tmp_path / "video_other.json").write_text("{}", encoding="utf-8")
    again = VideoStore(tmp_path, keep=9, keep_s=100)
    states = {video.id: video.error and video.error.code for video in again.all()}
    assert states == {
        "video_done": None,
        "video_failed": "x",
        "video_waiting": "server_stopped",
    }
    assert again.file("video_done").read_bytes() == b"video"
