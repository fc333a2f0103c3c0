"""Tiny diffusers pipelines, saved to a folder and run without pipeline-specific code."""

import json
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipelines
from small_clips import ball_clip, ball_frames, entrant_of, small_track

from generator.backends.diffusers.arguments import build_call
from generator.backends.diffusers.outputs import crop_padding, read_output
from generator.backends.diffusers.weights import hash_folder
from generator.clips import ClipRequest, GeneratedClip
from generator.engine import check, generate
from generator.errors import BackendError, SpecError
from generator.spec import Entrant, read_entrant

TRACK = small_track(audio=False)
PROMPT = "a horse"  # unknown to the built-in model, whose measures would take time


@pytest.fixture(scope="module")
def tiny_wan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pipelines.save(tiny_pipelines.wan, tmp_path_factory.mktemp("wan"))


def wan(folder: Path, call: dict[str, object] | None = None, **options: object) -> Entrant:
    steps: dict[str, object] = {"num_inference_steps": 2, "guidance_scale": 1.0}
    return entrant_of("diffusers", call=steps | (call or {}), model=str(folder), **options)


def make(entrant: Entrant, seed: int = 0, *, prompt: str = PROMPT, **changes: Any) -> GeneratedClip:
    audio = changes.pop("audio", False)
    track = small_track(audio=audio, **changes)
    (clip,) = generate([ClipRequest(entrant, track, "p1", prompt, seed)], workers=0)
    assert isinstance(clip, GeneratedClip), clip
    return clip


def test_a_pipeline_of_the_library_runs_and_its_provenance_is_complete(tiny_wan: Path) -> None:
    clip = make(wan(tiny_wan), height=40, frames=7)
    provenance = clip.provenance
    assert provenance.pipeline_class is not None
    assert provenance.pipeline_class.endswith("WanPipeline")
    assert provenance.weights_sha256 == hash_folder(tiny_wan)
    assert provenance.scheduler is not None
    assert provenance.scheduler["shift"] == 3.0
    # Wan generates multiples of 16 pixels and 4k + 1 frames, and has no frame rate.
    assert (provenance.call["height"], provenance.call["width"], provenance.call["num_frames"]) == (
        48,
        96,
        9,
    )
    assert provenance.dropped == {"frame_rate": 24}
    assert provenance.adapted[:2] == ("cropped 96x48 to 96x40", "cut 9 to 7 frames")
    assert provenance.call["num_inference_steps"] == 2
    assert provenance.seconds is not None
    assert provenance.seconds > 0
    assert provenance.peak_memory_bytes is not None
    assert {"diffusers", "torch", "transformers"} <= set(provenance.versions)
    json.dumps(provenance.model_dump(mode="json"))


def test_the_seed_determines_the_clip(tiny_wan: Path) -> None:
    first, again, other = (make(wan(tiny_wan), seed, frames=5) for seed in (1, 1, 2))
    assert first.rendition == again.rendition
    assert first.rendition != other.rendition


def test_the_spec_sets_the_models_frame_rate(tiny_wan: Path) -> None:
    clip = make(wan(tiny_wan, fps=12), frames=10)
    assert clip.provenance.call["num_frames"] == 5
    assert "changed 12 to 24 frames/s by nearest frame" in clip.provenance.adapted


def test_the_built_in_model_runs_through_this_backend(tiny_foal: Path) -> None:
    clip = make(read_entrant(tiny_foal), prompt="a ball", audio=True)
    provenance = clip.provenance
    assert provenance.pipeline_class == "generator.foal.pipeline.FoalPipeline"
    assert (provenance.call["frame_rate"], provenance.call["num_frames"]) == (24, 24)
    assert provenance.dropped == {}
    assert provenance.model == "tiny"
    assert provenance.warnings == ()


def test_unknown_words_in_the_prompt_are_recorded(tiny_foal: Path) -> None:
    request = ClipRequest(
        read_entrant(tiny_foal), small_track(audio=False, frames=5), "p1", "a red dragon", 0
    )
    (clip,) = generate([request], workers=0)
    assert isinstance(clip, GeneratedClip)
    assert clip.provenance.warnings == ("unknown words: dragon",)


def test_a_track_with_sound_needs_a_model_with_sound(tiny_wan: Path) -> None:
    track = small_track(audio=True, frames=5)
    (clip,) = generate([ClipRequest(wan(tiny_wan), track, "p1", PROMPT, 0)], workers=0)
    assert "no sound" in getattr(clip, "reason", "")


@pytest.mark.parametrize(
    ("options", "call", "message"),
    [
        ({"dtype": "int8"}, {}, r"backend\.dtype is 'int8'; use one of float32"),
        ({"device": "tpu"}, {}, r"backend\.device"),
        ({"fps": "fast"}, {}, r"backend\.fps"),
        ({"speed": 9}, {}, r"backend\.speed is not an option"),
        ({"pipeline": "nowhere:Class"}, {}, "pipeline nowhere:Class was not found"),
        ({"pipeline": "diffusers"}, {}, "pipeline diffusers was not found"),
        ({"pipeline": "pathlib:Path"}, {}, "is not a pipeline"),
        ({}, {"steps": 9}, r"backend\.call\.steps is not an argument.*num_inference_steps"),
        ({}, {"generator": 9}, r"backend\.call\.generator is set by the request"),
    ],
)
def test_an_invalid_spec_is_rejected_before_loading(
    tiny_wan: Path, options: dict[str, object], call: dict[str, object], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        check(wan(tiny_wan, call, **options), TRACK)


def test_a_text_pipeline_is_rejected_for_an_image_track(tiny_wan: Path) -> None:
    with pytest.raises(SpecError, match="has no argument image"):
        check(wan(tiny_wan), small_track(audio=False, modality="image-to-video"))


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"backend\.model is missing"):
        check(entrant_of("diffusers"), TRACK)
    with pytest.raises(SpecError, match="does not exist"):
        check(wan(tmp_path / "none"), TRACK)
    with pytest.raises(SpecError, match=r"has no model_index\.json"):
        check(wan(tmp_path), TRACK)


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["weights.bin", "weights.pt", "vae/x.ckpt", "x.safetensors"])
def test_pickled_weights_are_rejected_and_never_read(tmp_path: Path, name: str) -> None:
    folder, canary = tmp_path / "model", tmp_path / "canary"
    (folder / "vae").mkdir(parents=True)
    (folder / "model_index.json").write_text('{"_class_name": "WanPipeline"}', encoding="utf-8")
    (folder / name).write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(SpecError, match=r"is pickled|not a valid safetensors"):
        check(wan(folder), TRACK)
    assert not canary.exists()


def test_a_folders_hash_depends_on_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    first = hash_folder(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "lock").write_bytes(b"")
    assert hash_folder(tmp_path) == first
    (tmp_path / "a").write_bytes(b"2")
    second = hash_folder(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, hash_folder(tmp_path)}) == 3


class OtherPipeline:
    """A pipeline with different argument names."""

    audio_sample_rate = 24_000
    vae_temporal_compression_ratio = 8
    vae_spatial_compression_ratio = 32

    def __call__(
        self, prompt: str, height: int, width: int, video_length: int, fps: int, steps: int = 4
    ) -> dict[str, object]:
        return {}


def test_arguments_are_passed_under_the_pipelines_names() -> None:
    arguments = build_call(
        OtherPipeline(),
        TRACK,
        fps=Fraction(24),
        call={"width": 128},
        common={"prompt": "a ball", "x": 1},
    )
    assert arguments.passed == {
        "prompt": "a ball",
        "height": 64,
        "width": 128,
        "video_length": 25,
        "fps": 24,
    }
    assert arguments.dropped == {"x": 1}


def test_arrays_tensors_and_images_give_the_same_clip() -> None:
    import torch
    from PIL import Image

    frames = ball_frames(3)
    scaled = torch.from_numpy(frames / np.float32(255))
    variants: list[object] = [
        scaled[None].numpy(),
        scaled.permute(0, 3, 1, 2)[None],
        [[Image.fromarray(frame) for frame in frames]],
    ]
    for variant in variants:
        output = {"video": variant, "sound": torch.full((1, 1, 9), 0.5, dtype=torch.bfloat16)}
        clip = read_output(output, name="X", pipeline=OtherPipeline(), fps=Fraction(24))
        assert np.array_equal(clip.frames, frames)
        assert clip.audio is not None
        assert (clip.audio.shape, clip.sample_rate) == ((1, 9), 24_000)


def test_pixels_are_rounded_and_clipped() -> None:
    shades = np.array([-1, 0.4, 0.6, 100.6, 254.4, 300], np.float32) / 255
    frames = np.broadcast_to(shades[:, None, None, None], (6, 2, 2, 3))[None]
    clip = read_output({"frames": frames}, name="X", pipeline=OtherPipeline(), fps=Fraction(24))
    assert clip.frames[:, 0, 0, 0].tolist() == [0, 0, 1, 101, 254, 255]


class PlainOutput:
    """An output that is not a mapping."""

    def __init__(self, videos: object, audios: object) -> None:
        self.videos = videos
        self.audios = audios


def test_tuples_and_objects_are_read() -> None:
    frames = ball_frames(3)[None]
    sound = np.full((1, 2, 9), 0.5, np.float32)
    for output in ((frames, sound), PlainOutput(frames, sound)):
        clip = read_output(
            output, name="X", pipeline=object(), fps=Fraction(24), sample_rate=16_000
        )
        assert np.array_equal(clip.frames, frames[0])
        assert clip.sample_rate == 16_000


def test_sound_without_a_sample_rate_is_rejected() -> None:
    output = {"frames": ball_frames(3)[None], "audio": np.zeros((1, 2, 9), np.float32)}
    with pytest.raises(BackendError, match=r"set backend\.sample_rate"):
        read_output(output, name="X", pipeline=object(), fps=Fraction(24))


def test_invalid_outputs_are_rejected() -> None:
    broken = np.full((1, 2, 4, 4, 3), np.nan, np.float32)
    for output, message in (({"images": 1}, "returned images"), ({"frames": broken}, "NaN")):
        with pytest.raises(BackendError, match=message):
            read_output(output, name="X", pipeline=OtherPipeline(), fps=Fraction(24))


def test_only_padding_is_cropped() -> None:
    larger = ball_clip(frames=ball_frames(2, width=128, height=80))
    cropped, changes = crop_padding(larger, TRACK, multiple=64)
    assert np.array_equal(cropped.frames, larger.frames[:, 8:72, 16:112])
    assert changes == ("cropped 128x80 to 96x64",)
    assert crop_padding(larger, TRACK, multiple=16) == (larger, ())
