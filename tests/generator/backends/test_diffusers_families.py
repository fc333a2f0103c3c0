"""Every family of video pipelines runs from its folder, without code of its own."""

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
    """The folder of a family's tiny pipeline, made once."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            build = getattr(tiny_pipelines, family)
            made[family] = tiny_pipelines.save(build, tmp_path_factory.mktemp(family))
        return made[family]

    return folder


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sources") / "ball.png"
    Image.fromarray(ball_frames(1, width=WIDTH, height=HEIGHT)[0]).save(path)
    return path


def entrant(folder: Path, **options: object) -> Entrant:
    return entrant_of("diffusers", call={"num_inference_steps": 2}, model=str(folder), **options)


def make(entrant: Entrant, *, source: Path | None = None, **track: Any) -> GeneratedClip:
    settings = {"audio": False, "height": HEIGHT, "frames": FRAMES} | track
    request = ClipRequest(entrant, small_track(**settings), "p1", "a ball", 1, source)
    (clip,) = generate([request], workers=0)
    assert isinstance(clip, GeneratedClip), clip
    return clip


@pytest.mark.parametrize(
    ("family", "height", "guidance"),
    [("wan", 48, 5.0), ("cogvideox", 48, 6.0), ("hunyuan", 48, 6.0), ("ltx2", 64, 3.0)],
)
def test_a_text_becomes_a_clip_of_the_track(
    saved: Callable[[str], Path], family: str, height: int, guidance: float
) -> None:
    clip = make(entrant(saved(family)), audio=family == "ltx2")
    told = clip.provenance
    assert (told.call["height"], told.call["width"], told.call["num_frames"]) == (height, 96, 9)
    assert told.adapted[:2] == (f"cropped 96x{height} to 96x40", "cut 9 to 7 frames")
    assert (told.steps, told.guidance) == (2, guidance)
    assert (told.device, told.dtype) == ("cpu", "float32")
    seen = probe(clip.rendition)
    assert (seen.width, seen.height) == (WIDTH, HEIGHT)


def test_sound_comes_at_the_vocoders_rate(saved: Callable[[str], Path]) -> None:
    told = make(entrant(saved("ltx2")), audio=True).provenance
    assert "resampled 16000 to 48000 Hz" in told.adapted
    assert told.call["frame_rate"] == 24
    assert told.dropped == {}


def test_an_image_begins_the_clip(saved: Callable[[str], Path], picture: Path) -> None:
    spec = entrant(saved("wan_image"))
    clip = make(spec, source=picture, modality="image-to-video")
    assert (clip.provenance.call["height"], clip.provenance.call["num_frames"]) == (48, 9)
    assert "image" not in clip.provenance.call
    Image.fromarray(ball_frames(1, width=WIDTH, height=HEIGHT)[0][:, ::-1]).save(
        other := picture.with_name("other.png")
    )
    turned = make(spec, source=other, modality="image-to-video")
    assert clip.provenance.frames_sha256 != turned.provenance.frames_sha256


def test_a_pipeline_that_needs_an_image_is_refused_where_there_is_none(
    saved: Callable[[str], Path],
) -> None:
    with pytest.raises(SpecError, match="needs image, which text-to-video tracks do not give"):
        check(entrant(saved("wan_image")), small_track(audio=False))


class Recorder:
    """Takes an image or a video, and keeps what it was given."""

    vae_scale_factor = 16
    vae_scale_factor_temporal = 4
    given: Any = None

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
        self.given = [image] if image is not None else video
        return {"frames": np.stack([np.asarray(one) for one in self.given])[None]}


@pytest.fixture
def recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Recorder, DiffusersBackend]]:
    from generator.backends.diffusers.oom_fallback import OomFallback

    backend = DiffusersBackend(entrant_of("diffusers", model=str(tmp_path), fps=12))
    pipeline = Recorder()
    monkeypatch.setattr(backend, "_pipeline", pipeline)
    monkeypatch.setattr(backend, "_ladder", OomFallback(pipeline, name="Recorder", device="cpu"))
    return pipeline, backend


def request_of(backend: DiffusersBackend, source: Path, modality: str) -> ClipRequest:
    track = small_track(audio=False, height=HEIGHT, frames=20, modality=modality)
    return ClipRequest(backend.entrant, track, "p1", "a ball", 1, source)


def test_what_is_cut_off_again_was_never_stretched(
    recorder: tuple[Recorder, DiffusersBackend], picture: Path
) -> None:
    pipeline, backend = recorder
    raw, _ = backend.generate(request_of(backend, picture, "image-to-video"))
    given = np.asarray(pipeline.given[0])
    assert given.shape == (48, 96, 3)
    assert (given[:4] == given[4]).all()
    assert (given[-4:] == given[-5]).all()
    assert np.array_equal(raw.frames[0], ball_frames(1, width=WIDTH, height=HEIGHT)[0])


def test_a_video_comes_at_the_models_rate_size_and_length(
    recorder: tuple[Recorder, DiffusersBackend], tmp_path: Path
) -> None:
    source = tmp_path / "ball.mp4"
    source.write_bytes(encode_rendition(ball_clip(), small_track(audio=False)))
    pipeline, backend = recorder
    raw, told = backend.generate(request_of(backend, source, "video-edit"))
    # 20 frames at 24/s last as long as 10 at 12/s, which the model can make only as 13.
    assert told.call["num_frames"] == len(pipeline.given) == 13
    assert raw.fps == Fraction(12)
    assert np.array_equal(raw.frames[9], raw.frames[12])
    assert {picture.size for picture in pipeline.given} == {(96, 48)}
