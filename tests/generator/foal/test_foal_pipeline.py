"""The diffusers pipeline, with random weights at toy size."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_foal import TINY_SIZES, build_tiny_pipeline

from generator.foal import FoalPipeline
from generator.foal.build import build_transformer, save_pipeline
from generator.foal.model import states
from generator.foal.model.codec import denormalize, normalize
from generator.foal.model.latents import latent_size, pack, resample_noise, sample_noise, unpack
from generator.foal.model.neural_fields import pixel_grid
from generator.foal.model.transformer import UNKNOWN
from generator.foal.world.clip import make_clip

PROMPT = "a red ball bounces on grass"
SMALL = {"height": 48, "width": 48, "num_frames": 12, "num_inference_steps": 2}


@pytest.fixture(scope="module")
def pipe() -> FoalPipeline:
    pipeline = build_tiny_pipeline()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _seed(number: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(number)


def test_a_clip_has_the_requested_shape(pipe: FoalPipeline) -> None:
    clip = pipe(PROMPT, height=48, width=80, num_inference_steps=2, generator=_seed(1))
    assert clip.frames.shape == (1, 72, 48, 80, 3)
    assert clip.frames.dtype == np.float32
    assert clip.frames.min() >= 0
    assert clip.frames.max() <= 1
    assert clip.audio.shape == (1, 2, 3 * pipe.audio_sample_rate)
    assert clip.audio.dtype == torch.float32
    assert clip.audio.abs().max() <= 1


def test_a_seed_gives_the_same_clip_alone_and_in_a_batch(pipe: FoalPipeline) -> None:
    alone = pipe(PROMPT, generator=_seed(2), **SMALL)
    again = pipe(PROMPT, generator=_seed(2), **SMALL)
    assert np.array_equal(alone.frames, again.frames)
    assert torch.equal(alone.audio, again.audio)
    batch = pipe([PROMPT, PROMPT], generator=[_seed(3), _seed(2)], **SMALL)
    assert np.allclose(batch.frames[1], alone.frames[0], atol=1e-4)
    assert not np.allclose(batch.frames[0], alone.frames[0], atol=1e-4)


def test_a_saved_pipeline_is_safetensors_and_loads_unchanged(
    pipe: FoalPipeline, tmp_path: Path
) -> None:
    save_pipeline(pipe, tmp_path, half=False)
    kinds = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors"}
    loaded = FoalPipeline.from_pretrained(tmp_path, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    one, other = (p(PROMPT, generator=_seed(4), **SMALL) for p in (pipe, loaded))
    assert np.allclose(one.frames, other.frames, atol=1e-5)


def test_weights_stored_in_half_precision_run_in_full_precision(
    pipe: FoalPipeline, tmp_path: Path
) -> None:
    save_pipeline(pipe, tmp_path)
    loaded = FoalPipeline.from_pretrained(tmp_path, local_files_only=True)
    assert {loaded.codec.dtype, loaded.transformer.dtype} == {torch.float32}
    assert pipe.transformer.dtype == torch.float32


def test_unknown_words_are_reported_and_ignored(pipe: FoalPipeline) -> None:
    clip = pipe("a purple unicorn 跳ぶ", generator=_seed(1), **SMALL)
    assert clip.unknown_words == [("unicorn", "跳ぶ")]
    assert np.isfinite(clip.frames).all()
    empty = pipe("", generator=_seed(1), **SMALL)
    assert empty.unknown_words == [("(no known word)",)]


def test_a_long_prompt_drops_its_unknown_words_first(pipe: FoalPipeline) -> None:
    ids, lost = pipe.transformer.tokenize(["wow " * 40 + PROMPT])
    assert UNKNOWN not in ids
    assert lost[0] == ("wow",)
    ids, lost = pipe.transformer.tokenize(["red " * 40])
    assert ids.shape == (1, pipe.transformer.config.text_length)
    assert lost[0] == ("(8 words beyond the first 32)",)


def test_other_frame_rates_sample_the_same_motion(pipe: FoalPipeline) -> None:
    at_24 = pipe(PROMPT, generator=_seed(5), **{**SMALL, "num_frames": 24})
    at_12 = pipe(PROMPT, generator=_seed(5), **{**SMALL, "num_frames": 12}, frame_rate=12)
    assert np.allclose(at_24.frames[0][::2], at_12.frames[0], atol=3e-2)
    assert at_24.audio.shape == at_12.audio.shape


def test_clips_can_be_longer_than_in_training(pipe: FoalPipeline) -> None:
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

    def watch(pipeline: FoalPipeline, step: int, timestep: int, tensors: dict) -> dict:
        steps.append(step)
        pipeline._interrupt = step == 1
        return tensors

    pipe(
        PROMPT,
        generator=_seed(1),
        callback_on_step_end=watch,
        **{**SMALL, "num_inference_steps": 4},
    )
    assert steps == [0, 1]


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        ({"height": 8}, "32 pixels"),
        ({"num_frames": 0}, "must be positive"),
        ({"frame_rate": 0}, "must be positive"),
        ({"eta": 2}, "eta must be between"),
        ({"eta": "1"}, "eta must be a number"),
        ({"frame_rate": float("inf")}, "frame_rate must be a number"),
        ({"height": 64.5}, "height must be a whole number"),
        ({"num_inference_steps": "4"}, "num_inference_steps must be a whole number"),
        ({"output_type": "gif"}, "output_type"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": []}, "prompt"),
    ],
)
def test_invalid_arguments_are_refused_in_one_sentence(
    pipe: FoalPipeline, invalid: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pipe(**{"prompt": PROMPT, **SMALL, **invalid})


def test_two_prompts_need_two_generators(pipe: FoalPipeline) -> None:
    with pytest.raises(ValueError, match="2 prompts need 2 generators"):
        pipe([PROMPT, PROMPT], generator=[_seed(1)], **SMALL)


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, generator.foal, generator.foal.world; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("seed", [1, 5, 7])
def test_a_rendered_clip_equals_the_fields_at_its_pixels(pipe: FoalPipeline, seed: int) -> None:
    clip = make_clip(seed, held_out=None)
    true = states.encode_states(clip.scene, clip.motions)
    content = torch.from_numpy(true.content)[None]
    motion = torch.from_numpy(true.motion)[None, ::30]
    motion[..., -2:] = 0  # with a moving camera the background is resampled
    frames = pipe.codec.decode(content, motion, height=40, width=56)[0]
    points = pixel_grid(40, 56, content).reshape(1, -1, 2).expand(len(frames), -1, -1)
    with torch.no_grad():
        colours = pipe.codec.decoder(points, content.expand(len(frames), -1, -1), motion[0], 1 / 40)
    assert torch.allclose(frames.flatten(1, 2), colours, atol=1e-4)


def test_a_moving_camera_changes_the_view(pipe: FoalPipeline) -> None:
    content = torch.zeros(1, states.CONTENT_TOKENS, states.CONTENT_DIM)
    motion = torch.zeros(1, 2, states.MOTION_DIM)
    motion[0, 1, -2] = 1  # panned all the way to the right
    left, right = pipe.codec.decode(content, motion, height=40, width=40)[0]
    assert not torch.allclose(left, right, atol=1e-3)
    alone = pipe.codec.decode(content, motion[:, 1:], height=40, width=40)[0, 0]
    assert torch.allclose(right, alone, atol=0.02)


def test_latents_survive_normalization() -> None:
    latents = (torch.rand(2, 4, 14), torch.rand(2, 6, 14), torch.rand(2, 6, 48))
    back = denormalize(normalize(*latents))
    assert all(torch.allclose(one, other) for one, other in zip(latents, back, strict=True))


def test_an_image_changes_the_clip(pipe: FoalPipeline) -> None:
    image = Image.fromarray((make_clip(3).frames(height=64, width=64)[0] * 255).astype(np.uint8))
    clip = pipe(PROMPT, image=image, generator=_seed(1), **SMALL)
    assert clip.frames.shape == (1, 12, 48, 48, 3)
    other = pipe(PROMPT, generator=_seed(1), **SMALL)
    assert not np.allclose(clip.frames, other.frames)


def test_an_edit_keeps_the_motion_of_its_video(pipe: FoalPipeline) -> None:
    frames = (make_clip(3).frames(height=64, width=64)[:12] * 255).astype(np.uint8)
    video = [Image.fromarray(frame) for frame in frames]
    latents = pipe(
        "make it blue", video=video, generator=_seed(1), **SMALL, output_type="latent"
    ).frames
    _, motion = pipe.codec.encode(frames)
    edited = denormalize(unpack(latents))[1]
    assert torch.allclose(edited, motion, atol=1e-5)


def test_image_and_video_cannot_be_combined(pipe: FoalPipeline) -> None:
    image = np.zeros((64, 64, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="not both"):
        pipe(PROMPT, image=image, video=[image], **SMALL)
    with pytest.raises(ValueError, match="an image must have"):
        pipe(PROMPT, image=np.zeros((64, 64)), **SMALL)
    with pytest.raises(ValueError, match="32 pixels"):
        pipe(PROMPT, image=np.zeros((8, 8, 3)), **SMALL)


def test_codec_and_transformer_must_have_the_same_latent_format(pipe: FoalPipeline) -> None:
    other = build_transformer(dim=32, layers=1, heads=2, kv_heads=1, mlp_dim=16, modality_layers=0)
    other.register_to_config(latent_format="states-0")
    with pytest.raises(ValueError, match="do not belong together"):
        FoalPipeline(codec=pipe.codec, transformer=other, scheduler=pipe.scheduler)


def test_unpacked_latents_pack_to_the_same() -> None:
    latents = sample_noise(2, latent_size(6), [_seed(1), _seed(2)])
    assert torch.equal(pack(unpack(latents)), latents)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_resampled_noise_has_the_same_strength(eta: float) -> None:
    clean, noise = (sample_noise(1, latent_size(2000), _seed(seed)) for seed in (1, 2))
    sigma = 0.5
    latents = (1 - sigma) * clean + sigma * noise
    resampled = resample_noise(latents, unpack(clean), 0.6, sigma, eta, _seed(3))
    new_noise = (resampled - (1 - sigma) * clean) / sigma
    assert new_noise.std() == pytest.approx(1.0, abs=0.02)
    correlation = float((new_noise * noise).mean())
    assert correlation < (0.98 if eta < 1 else 0.8)
    assert correlation > 0.3


def test_noise_is_not_resampled_at_low_levels() -> None:
    clean, noise = (sample_noise(1, latent_size(6), _seed(seed)) for seed in (1, 2))
    latents = 0.8 * clean + 0.2 * noise
    assert torch.equal(resample_noise(latents, unpack(clean), 0.3, 0.2, 1.0, _seed(3)), latents)


def test_resampled_noise_comes_from_the_seed_of_the_clip(pipe: FoalPipeline) -> None:
    call = {**SMALL, "num_inference_steps": 3, "eta": 1.0}
    alone = pipe(PROMPT, generator=_seed(2), **call)
    batch = pipe([PROMPT, PROMPT], generator=[_seed(3), _seed(2)], **call)
    assert np.allclose(batch.frames[1], alone.frames[0], atol=1e-4)
    without = pipe(PROMPT, generator=_seed(2), **{**call, "eta": 0.0})
    assert not np.allclose(without.frames, alone.frames, atol=1e-4)


def test_self_conditioning_uses_the_last_prediction_once_it_is_trained() -> None:
    torch.manual_seed(0)
    model, plain = build_transformer(**TINY_SIZES), build_transformer(**TINY_SIZES, self_cond=False)
    plain.load_state_dict(model.state_dict(), strict=False)
    noisy = unpack(sample_noise(1, latent_size(6), _seed(1)))
    words, sigma = torch.zeros(1, 32, dtype=torch.long), torch.full((1, 3), 0.5)
    clean = plain(words, noisy, sigma)
    # Its input layers start at zero, so that a plain transformer can be trained on with it.
    assert torch.equal(model(words, noisy, sigma, None, clean).motion, clean.motion)
    torch.nn.init.ones_(model.self_cond_motion_in.weight)
    assert not torch.allclose(model(words, noisy, sigma, None, clean).motion, clean.motion)
