"""Clips that were generated elsewhere: from a folder, or imported one by one."""

from pathlib import Path

import pytest
from small_clips import FRAMES, ball_clip, ball_frames, entrant_of, small_track, tone

from generator.clips import ClipRequest, FailedClip, GeneratedClip
from generator.engine import check, generate, import_clip
from generator.errors import ClipError, SpecError
from generator.media import decode, encode_rendition

TRACK = small_track(audio=True)
LONGER = small_track(audio=True, frames=36)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fits.mp4").write_bytes(encode_rendition(ball_clip(), TRACK))
    longer = ball_clip(frames=ball_frames(36), audio=tone(1.5))
    (tmp_path / "longer.mp4").write_bytes(encode_rendition(longer, LONGER))
    (tmp_path / "text.mp4").write_text("not a video", encoding="utf-8")
    return tmp_path


def generate_one(folder: Path, prompt_id: str, **changes: object) -> GeneratedClip | FailedClip:
    request = ClipRequest(
        entrant_of("folder", path=str(folder)),
        small_track(audio=True, **changes),
        prompt_id,
        "a red ball",
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


def test_a_prompt_without_a_file_fails(folder: Path) -> None:
    assert reason(generate_one(folder, "p7")).endswith("has no file p7.mp4; add it.")


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
    request = ClipRequest(entrant_of("folder"), TRACK, "p1", "a red ball", seed=0)
    clip = import_clip(folder / "longer.mp4", request)
    assert len(clip.rendition) == TRACK.bytes
    assert clip.provenance.backend == "import"
    with pytest.raises(ClipError, match=r"text\.mp4"):
        import_clip(folder / "text.mp4", request)
