"""Clips that were generated elsewhere: from a folder, or imported one by one."""

import os
from pathlib import Path

import numpy as np
import pytest
from odd_videos import video
from small_clips import FRAMES, ball_clip, ball_frames, entrant_of, small_track, tone

from generator.backends import missing_reasons
from generator.backends.folder import FolderBackend
from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.engine import check, generate, import_clip
from generator.errors import ClipError, SpecError
from generator.media import decode, encode_rendition

TRACK = small_track(audio=True)
PROMPT = "a horse"  # unknown to the built-in model, whose measures would take time
LONGER = small_track(audio=True, frames=36)


@pytest.fixture(scope="module")
def videos() -> dict[str, bytes]:
    longer = ball_clip(frames=ball_frames(36), audio=tone(1.5))
    return {
        "fits.mp4": encode_rendition(ball_clip(), TRACK),
        "longer.mp4": encode_rendition(longer, LONGER),
        "text.mp4": b"not a video",
    }


@pytest.fixture
def folder(videos: dict[str, bytes], tmp_path: Path) -> Path:
    for name, data in videos.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def generate_one(folder: Path, prompt_id: str, **changes: object) -> GeneratedClip | FailedClip:
    request = ClipRequest(
        entrant_of("folder", path=str(folder)),
        small_track(audio=True, **changes),
        prompt_id,
        PROMPT,
        seed=0,
    )
    (clip,) = generate([request], workers=0)
    return clip


def reason(clip: GeneratedClip | FailedClip) -> str:
    assert isinstance(clip, FailedClip)
    return clip.reason


def test_the_file_is_the_master_of_the_clip(folder: Path) -> None:
    clip = generate_one(folder, "fits")
    assert isinstance(clip, GeneratedClip)
    assert clip.master is not None
    assert clip.master.data == (folder / "fits.mp4").read_bytes()
    assert clip.master.suffix == ".mp4"
    assert len(clip.rendition) == TRACK.bytes
    assert clip.rendition != clip.master.data
    assert (clip.provenance.backend, clip.provenance.model) == ("folder", "fits.mp4")


def test_a_longer_file_is_cut_and_this_is_recorded(folder: Path) -> None:
    clip = generate_one(folder, "longer")
    assert isinstance(clip, GeneratedClip)
    assert len(decode(clip.rendition).frames) == FRAMES
    assert "cut 36 to 24 frames" in clip.provenance.adapted


def test_a_shorter_file_is_rejected(folder: Path) -> None:
    assert "needs 1.25 s" in reason(generate_one(folder, "fits", frames=30))


def test_a_prompt_without_a_file_is_missing(folder: Path) -> None:
    clip = generate_one(folder, "p7")
    assert reason(clip).endswith("has no file p7.mp4; add it.")
    assert isinstance(clip, FailedClip)
    assert clip.missing
    assert not generate_one(folder, "text").missing  # type: ignore[union-attr]


def test_a_file_beside_is_not_the_prompts_video(folder: Path) -> None:
    (folder / "p7.txt").write_text("a caption", encoding="utf-8")
    (folder / "p7.jpg").write_bytes(b"a thumbnail")
    (folder / "p7").mkdir()
    assert "has no file p7.mp4" in reason(generate_one(folder, "p7"))


@pytest.mark.parametrize("name", ["s2.mov", "s2.MP4", "s2.webm", "s2.Mkv", "s2.m4v"])
def test_any_ending_of_a_video_is_found(folder: Path, name: str) -> None:
    (folder / "fits.mp4").rename(folder / name)
    clip = generate_one(folder, "s2")
    assert isinstance(clip, GeneratedClip)
    assert clip.provenance.model == name


@pytest.mark.parametrize(
    ("container", "codec", "pix_fmt", "name"),
    [
        ("gif", "gif", "rgb8", "s3.gif"),
        ("avi", "mjpeg", "yuvj420p", "s3.avi"),
        ("avi", "mpeg4", "yuv420p", "s3.AVI"),
        ("webm", "libvpx-vp9", "yuv420p", "s3.webm"),
        ("mov", "prores_ks", "yuv422p10le", "s3.mov"),
    ],
)
def test_the_formats_of_common_tools_are_read(
    tmp_path: Path, container: str, codec: str, pix_fmt: str, name: str
) -> None:
    fps = 20 if container == "gif" else 24  # a GIF counts in hundredths of a second
    frames = ball_frames(fps + 2)
    data = video(frames, container=container, codec=codec, pix_fmt=pix_fmt, fps=fps)
    (tmp_path / name).write_bytes(data)
    silent = ClipRequest(
        entrant_of("folder", path=str(tmp_path)), small_track(audio=False), "s3", PROMPT, seed=0
    )
    (clip,) = generate([silent], workers=0)
    assert isinstance(clip, GeneratedClip), clip
    assert clip.master is not None
    assert clip.master.suffix == Path(name).suffix.lower().replace(".webm", ".mkv").replace(
        ".mov", ".mp4"
    )
    shown = decode(clip.rendition).frames[10].astype(int)
    assert np.abs(shown - frames[round(10 / 24 * fps)]).mean() < 20  # of a palette, dithered


def test_two_files_of_one_prompt_are_refused_with_both_names(folder: Path) -> None:
    (folder / "fits.webm").write_bytes(b"")
    assert "fits.mp4 and fits.webm for one prompt; keep one" in reason(generate_one(folder, "fits"))


def test_a_video_of_another_format_is_named(folder: Path) -> None:
    (folder / "s4.ts").write_bytes(b"G")
    clip = generate_one(folder, "s4")
    assert "s4.ts is of a format that is not read" in reason(clip)
    assert not clip.missing  # type: ignore[union-attr]


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "s5.mp4").symlink_to(folder / "fits.mp4")
    assert "s5.mp4 is a link to something outside" in reason(generate_one(inner, "s5"))
    (inner / "s6.mp4").symlink_to("/dev/zero")
    assert "s6.mp4 is a link to something outside" in reason(generate_one(inner, "s6"))


def test_links_within_a_folder_or_a_hubs_cache_are_followed(folder: Path) -> None:
    (folder / "s5.mp4").symlink_to("fits.mp4")
    assert isinstance(generate_one(folder, "s5"), GeneratedClip)
    snapshot = folder / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "fits.mp4").rename(folder / "blobs" / "0123")
    (snapshot / "s6.mp4").symlink_to("../../blobs/0123")
    assert isinstance(generate_one(snapshot, "s6"), GeneratedClip)


def test_a_file_that_comes_later_is_found(folder: Path) -> None:
    backend = FolderBackend(entrant_of("folder", path=str(folder)))
    request = ClipRequest(backend.entrant, TRACK, "late", PROMPT, seed=0)
    assert missing_reasons([request]) == [f"{folder} has no file late.mp4; add it."]
    assert backend.missing(request)
    (folder / "late.mp4").write_bytes((folder / "fits.mp4").read_bytes())
    os.utime(folder, ns=(1, 1))  # as a copy a moment later would
    assert backend.missing(request) is None
    assert missing_reasons([request]) == [None]


def test_a_file_that_is_not_a_video_is_named(folder: Path) -> None:
    assert "text.mp4 is not an MP4" in reason(generate_one(folder, "text"))


def test_a_prompt_id_cannot_leave_the_folder(folder: Path) -> None:
    (folder / "inner").mkdir()
    assert "has no file" in reason(generate_one(folder / "inner", "../fits"))


@pytest.mark.parametrize(
    ("options", "call", "message"),
    [
        ({}, {}, r"backend\.path is missing"),
        ({"path": "/nowhere/at/all"}, {}, "does not exist"),
        ({"path": "/", "speed": 3}, {}, r"backend\.speed is not an option"),
        ({"path": "/"}, {"steps": 3}, "has no call arguments"),
    ],
)
def test_an_invalid_spec_is_rejected(
    options: dict[str, object], call: dict[str, object], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        check(entrant_of("folder", call=call, **options), TRACK)


def test_an_unknown_backend_is_rejected() -> None:
    with pytest.raises(SpecError, match=r"'cinema', which is not installed.*diffusers, folder"):
        check(entrant_of("cinema"), TRACK)


def test_importing_one_file(folder: Path) -> None:
    request = ClipRequest(entrant_of("folder"), TRACK, "p1", PROMPT, seed=0)
    clip = import_clip(folder / "longer.mp4", request)
    assert len(clip.rendition) == TRACK.bytes
    assert clip.provenance.backend == "import"
    with pytest.raises(ClipError, match=r"text\.mp4"):
        import_clip(folder / "text.mp4", request)
