"""Pipelines of every model family run from their folder without code for the family."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipelines
from PIL import Image
from small_clips import ball_clip, ball_frames, entrant_of, small_track

from generator.backends.diffusers.backend import DiffusersBackend
from generator.clips import ClipRequest, GeneratedClip
from generator.engine import check, generate
from generator.errors import SpecError
from generator.media import encode_rendition, probe
from generator.spec import Entrant

WIDTH, HEIGHT, FRAMES = 96, 40, 7  # neither a multiple of 16 or 32, nor 4k + 1 or 8k + 1


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a family's tiny pipeline, saved once."""
    folders: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in folders:
            build = getattr(tiny_pipelines, family)
            folders[family] = tiny_pipelines.save(build, tmp_path_factory.mktemp(family))
        return folders[family]

    return folder


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sources") / "ball.png"
    Image.fromarray(ball_frames(1, width=WIDTH, height=HEIGHT)[0]).save(path)
    return path


def entrant(folder: Path, **options: object) -> Entrant:
    return entrant_of("diffusers", call={"num_inference_steps": 2}, model=str(folder), **options)


def make(entrant: Entrant, *, source: Path | None = None, **track: Any) -> GeneratedClip:
    settings = {"audio": False, "height": HEIGHT, "frames": FRAMES} | track
    request = ClipRequest(entrant, small_track(**settings), "p1", "a horse", 1, source)
    (clip,) = generate([request], workers=0)
    assert isinstance(clip, GeneratedClip), clip
    return clip


@pytest.mark.parametrize(
    ("family", "height", "guidance"),
    [("wan", 48, 5.0), ("cogvideox", 48, 6.0), ("hunyuan", 48, 6.0), ("ltx2", 64, 3.0)],
)
def test_text_to_video(
    saved: Callable[[str], Path], family: str, height: int, guidance: float
) -> None:
    clip = make(entrant(saved(family)), audio=family == "ltx2")
    provenance = clip.provenance
    assert (provenance.call["height"], provenance.call["width"], provenance.call["num_frames"]) == (
        height,
        96,
        9,
    )
    assert provenance.adapted[:2] == (f"cropped 96x{height} to 96x40", "cut 9 to 7 frames")
    assert (provenance.steps, provenance.guidance) == (2, guidance)
    assert (provenance.device, provenance.dtype) == ("cpu", "float32")
    info = probe(clip.rendition)
    assert (info.width, info.height) == (WIDTH, HEIGHT)


def test_sound_is_resampled_from_the_rate_of_the_vocoder(saved: Callable[[str], Path]) -> None:
    provenance = make(entrant(saved("ltx2")), audio=True).provenance
    assert "resampled 16000 to 48000 Hz" in provenance.adapted
    assert provenance.call["frame_rate"] == 24
    assert provenance.dropped == {}


def test_the_first_image_changes_the_clip(saved: Callable[[str], Path], image: Path) -> None:
    spec = entrant(saved("wan_image"))
    clip = make(spec, source=image, modality="image-to-video")
    assert (clip.provenance.call["height"], clip.provenance.call["num_frames"]) == (48, 9)
    assert "image" not in clip.provenance.call
    Image.fromarray(ball_frames(1, width=WIDTH, height=HEIGHT)[0][:, ::-1]).save(
        other := image.with_name("other.png")
    )
    mirrored = make(spec, source=other, modality="image-to-video")
    assert clip.provenance.frames_sha256 != mirrored.provenance.frames_sha256


def test_an_image_pipeline_is_rejected_for_a_text_track(
    saved: Callable[[str], Path],
) -> None:
    with pytest.raises(SpecError, match="requires image, which text-to-video tracks do not have"):
        check(entrant(saved("wan_image")), small_track(audio=False))


class Recorder:
    """A pipeline that accepts an image or a video and records it."""

    vae_scale_factor = 16
    vae_scale_factor_temporal = 4
    source: Any = None

    def __call__(
        self,
        prompt: str,
        height: int,
        width: int,
        num_frames: int,
        image: Any = None,
        video: Any = None,
        generator: Any = None,
        output_type: str = "np",
    ) -> dict[str, np.ndarray]:
        self.source = [image] if image is not None else video
        return {"frames": np.stack([np.asarray(one) for one in self.source])[None]}


@pytest.fixture
def recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Recorder, DiffusersBackend]]:
    from generator.backends.diffusers.oom_fallback import OomFallback

    backend = DiffusersBackend(entrant_of("diffusers", model=str(tmp_path), fps=12))
    pipeline = Recorder()
    monkeypatch.setattr(backend, "_pipeline", pipeline)
    monkeypatch.setattr(backend, "_fallback", OomFallback(pipeline, name="Recorder", device="cpu"))
    return pipeline, backend


def request_of(backend: DiffusersBackend, source: Path, modality: str) -> ClipRequest:
    track = small_track(audio=False, height=HEIGHT, frames=20, modality=modality)
    return ClipRequest(backend.entrant, track, "p1", "a horse", 1, source)


def test_a_source_is_padded_not_stretched_to_the_models_size(
    recorder: tuple[Recorder, DiffusersBackend], image: Path
) -> None:
    pipeline, backend = recorder
    raw, _ = backend.generate(request_of(backend, image, "image-to-video"))
    padded = np.asarray(pipeline.source[0])
    assert padded.shape == (48, 96, 3)
    assert (padded[:4] == padded[4]).all()
    assert (padded[-4:] == padded[-5]).all()
    assert np.array_equal(raw.frames[0], ball_frames(1, width=WIDTH, height=HEIGHT)[0])


def test_a_source_video_is_converted_to_the_models_rate_size_and_length(
    recorder: tuple[Recorder, DiffusersBackend], tmp_path: Path
) -> None:
    source = tmp_path / "ball.mp4"
    source.write_bytes(encode_rendition(ball_clip(), small_track(audio=False)))
    pipeline, backend = recorder
    raw, provenance = backend.generate(request_of(backend, source, "video-edit"))
    # 20 frames at 24/s last as long as 10 at 12/s, which the model rounds up to 13.
    assert provenance.call["num_frames"] == len(pipeline.source) == 13
    assert raw.fps == Fraction(12)
    assert np.array_equal(raw.frames[9], raw.frames[12])
    assert {frame.size for frame in pipeline.source} == {(96, 48)}
