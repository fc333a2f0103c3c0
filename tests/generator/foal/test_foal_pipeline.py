"""The pipeline as any diffusers user meets it, with random weights at toy size."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from generator.foal import FoalPipeline
from generator.foal.build import build_tiny_pipeline, save_pipeline
from generator.foal.codec import ENCODER_PIXELS, FoalCodec
from generator.foal.fields import pixel_grid
from generator.foal.model import UNKNOWN

PROMPT = "a red ball bounces on grass"
SMALL = {"height": 48, "width": 48, "num_frames": 12, "num_inference_steps": 2}


@pytest.fixture(scope="module")
def pipe() -> FoalPipeline:
    pipeline = build_tiny_pipeline()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _seed(number: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(number)


def test_a_clip_has_the_shape_that_was_asked_for(pipe: FoalPipeline) -> None:
    clip = pipe(PROMPT, height=48, width=80, num_inference_steps=2, generator=_seed(1))
    assert clip.frames.shape == (1, 72, 48, 80, 3)
    assert clip.frames.dtype == np.float32
    assert clip.frames.min() >= 0
    assert clip.frames.max() <= 1
    assert clip.audio.shape == (1, 2, 3 * pipe.audio_sample_rate)
    assert clip.audio.dtype == torch.float32
    assert clip.audio.abs().max() <= 1


def test_one_seed_gives_one_clip_alone_or_in_a_batch(pipe: FoalPipeline) -> None:
    alone = pipe(PROMPT, generator=_seed(2), **SMALL)
    again = pipe(PROMPT, generator=_seed(2), **SMALL)
    assert np.array_equal(alone.frames, again.frames)
    assert torch.equal(alone.audio, again.audio)
    batch = pipe([PROMPT, PROMPT], generator=[_seed(3), _seed(2)], **SMALL)
    assert np.allclose(batch.frames[1], alone.frames[0], atol=1e-4)
    assert not np.allclose(batch.frames[0], alone.frames[0], atol=1e-4)


def test_a_saved_pipeline_is_safetensors_and_loads_as_the_same(
    pipe: FoalPipeline, tmp_path: Path
) -> None:
    save_pipeline(pipe, tmp_path, half=False)
    kinds = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors"}
    loaded = FoalPipeline.from_pretrained(tmp_path, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    one, other = (p(PROMPT, generator=_seed(4), **SMALL) for p in (pipe, loaded))
    assert np.allclose(one.frames, other.frames, atol=1e-5)


def test_weights_stored_in_half_precision_run_in_full(pipe: FoalPipeline, tmp_path: Path) -> None:
    save_pipeline(pipe, tmp_path)
    loaded = FoalPipeline.from_pretrained(tmp_path, local_files_only=True)
    assert {loaded.codec.dtype, loaded.transformer.dtype} == {torch.float32}
    assert pipe.transformer.dtype == torch.float32


def test_unknown_words_are_reported_and_do_no_harm(pipe: FoalPipeline) -> None:
    clip = pipe("a purple unicorn 跳ぶ", generator=_seed(1), **SMALL)
    assert clip.unknown_words == [("unicorn", "跳ぶ")]
    assert np.isfinite(clip.frames).all()
    empty = pipe("", generator=_seed(1), **SMALL)
    assert empty.unknown_words == [()]


def test_too_long_a_prompt_loses_its_unknown_words_first(pipe: FoalPipeline) -> None:
    ids, lost = pipe.transformer.tokenize(["wow " * 20 + PROMPT])
    assert UNKNOWN not in ids
    assert lost[0] == ("wow",) * 20
    ids, lost = pipe.transformer.tokenize(["red " * 20])
    assert ids.shape == (1, pipe.transformer.config.words)
    assert len(lost[0]) == 20 - pipe.transformer.config.words


def test_other_frame_rates_read_the_same_paths_at_other_moments(pipe: FoalPipeline) -> None:
    at_24 = pipe(PROMPT, generator=_seed(5), **{**SMALL, "num_frames": 24})
    at_12 = pipe(PROMPT, generator=_seed(5), **{**SMALL, "num_frames": 12}, frame_rate=12)
    assert np.allclose(at_24.frames[0][::2], at_12.frames[0], atol=1e-5)
    assert at_24.audio.shape == at_12.audio.shape


def test_longer_clips_than_in_training_can_be_asked_for(pipe: FoalPipeline) -> None:
    clip = pipe(PROMPT, generator=_seed(1), **{**SMALL, "num_frames": 121})
    assert clip.frames.shape[1] == 121
    assert clip.audio.shape[2] == round(121 / 24 * pipe.audio_sample_rate)


def test_output_types(pipe: FoalPipeline) -> None:
    arrays = pipe(PROMPT, generator=_seed(6), **SMALL).frames
    tensors = pipe(PROMPT, generator=_seed(6), output_type="pt", **SMALL).frames
    assert tensors.shape == (1, 12, 3, 48, 48)
    assert np.allclose(tensors.permute(0, 1, 3, 4, 2).numpy(), arrays)
    frames, audio = pipe(PROMPT, generator=_seed(6), output_type="pil", return_dict=False, **SMALL)
    assert isinstance(frames[0][0], Image.Image)
    assert audio.shape[:2] == (1, 2)


def test_the_callback_sees_every_step_and_can_stop(pipe: FoalPipeline) -> None:
    steps: list[int] = []

    def watch(pipeline: FoalPipeline, step: int, timestep: int, given: dict) -> dict:
        steps.append(step)
        pipeline._interrupt = step == 1
        return given

    pipe(
        PROMPT,
        generator=_seed(1),
        callback_on_step_end=watch,
        **{**SMALL, "num_inference_steps": 4},
    )
    assert steps == [0, 1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"height": 8}, "32 pixels"),
        ({"num_frames": 0}, "above zero"),
        ({"frame_rate": 0}, "above zero"),
        ({"output_type": "gif"}, "output_type"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": []}, "prompt"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_sentence(
    pipe: FoalPipeline, wrong: dict, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        pipe(**{"prompt": PROMPT, **SMALL, **wrong})


def test_two_prompts_need_two_generators(pipe: FoalPipeline) -> None:
    with pytest.raises(ValueError, match="2 prompts need 2 generators"):
        pipe([PROMPT, PROMPT], generator=[_seed(1)], **SMALL)


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, generator.foal, generator.foal.world; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_film_is_what_the_fields_say_at_its_pixels() -> None:
    torch.manual_seed(0)
    codec = FoalCodec(scene_size=4, look_size=4, width=16, summary_size=16, plane_grid=16).eval()
    content = torch.rand(1, codec.content_size)
    content[0, -3:-1] = 1  # both things are there
    content[0, -1] = 5  # and surely in this order
    motion = torch.tensor([[[0.3, 0.5, 0.2, 0.0, 0.6, 0.75, 0.0, 0.2]]])
    film = codec.decode(content, motion, height=40, width=40)[0, 0]
    points = pixel_grid(40, 40, content).reshape(1, -1, 2)
    colours = codec.decode_points(points, content, motion[:, 0])[0].reshape(40, 40, 3)
    assert torch.allclose(film, colours, atol=1e-4)


def test_codes_survive_normalisation() -> None:
    codec = FoalCodec(scene_size=4, look_size=4, width=16, summary_size=16, plane_grid=16).eval()
    with torch.no_grad():
        codes = codec.encode(torch.rand(3, 5, 3, ENCODER_PIXELS, ENCODER_PIXELS))
    sound = torch.rand(3, 5, 48)
    codec.set_statistics(codes.content, codes.motion, sound)
    normal = codec.normalize(codes.content, codes.motion, sound)
    assert float(normal[1].square().mean()) == pytest.approx(1, abs=1e-3)
    back = codec.denormalize(*normal)
    assert torch.allclose(back[0], codes.content, atol=1e-5)
    assert torch.allclose(back[1], codes.motion, atol=1e-5)
    assert torch.allclose(back[2], sound, atol=1e-5)
