"""The stages at full size: latents, denoising, decoding, writing the clip."""

import shutil
from pathlib import Path

import pytest
import torch

from generator.fullsize.config import FullConfig, read_full_config
from generator.fullsize.decode import make_decoder, sound_rate
from generator.fullsize.generate import Stage, denoise, sample_noise, upscale
from generator.fullsize.layout import Layout, positions, to_latents, to_tokens
from generator.fullsize.runner import Runner
from generator.fullsize.weights import build_model
from generator.media import decode

CPU = torch.device("cpu")
needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
COMPILING_S = 900  # slow on a busy machine


@pytest.fixture(scope="module")
def tiny() -> FullConfig:
    return read_full_config("full-tiny")


def test_latents_survive_conversion_to_tokens_and_back(tiny: FullConfig) -> None:
    layout = Layout.of(tiny, tiny.sizes["64p"])
    latents = torch.randn(1, 8, layout.frames, 2 * layout.rows, 2 * layout.columns)
    tokens = to_tokens(latents)
    assert tokens.shape == (1, layout.lengths[1], tiny.transformer.video_channels)
    assert torch.equal(tokens[0, 0].reshape(8, 2, 2), latents[0, :, 0, :2, :2])
    assert torch.equal(to_latents(tokens, layout), latents)


def test_sound_has_the_time_of_its_video_frame(tiny: FullConfig) -> None:
    layout = Layout.of(tiny, tiny.sizes["64p"])
    token_positions = positions(layout, CPU)
    video = token_positions[layout.text : -layout.sound].reshape(layout.frames, layout.per_frame, 3)
    assert torch.equal(token_positions[-layout.sound :: 4, 0], video[:, 0, 0])
    assert token_positions[:, 1].sum() == token_positions[:, 2].sum() == 0


def test_the_refinement_keeps_the_sound_and_starts_from_its_noise_level(
    tiny: FullConfig,
) -> None:
    model, _ = build_model(tiny, CPU, torch.float32)
    base = Stage.base(tiny, CPU, torch.float32)
    refinement = Stage.refinement(tiny, "64p", CPU, torch.float32)
    assert refinement
    assert refinement.sigmas == pytest.approx((0.7, 0.35, 0))
    assert base.sigmas == pytest.approx((1, 2.5 / 3, 0))
    generator = torch.Generator().manual_seed(0)
    text = torch.randn(1, 12, 24, generator=generator)
    latents = denoise(model, text, sample_noise(base, model, generator), base)
    upscaled = upscale(latents, base, refinement, generator)
    refined = denoise(model, text, upscaled, refinement, update_sound=False)
    assert refined.sound is latents.sound
    assert refined.video.shape == (1, refinement.layout.lengths[1], 32)
    assert not torch.equal(refined.video, upscaled.video)


def test_decoding_in_chunks_equals_decoding_at_once(tiny: FullConfig) -> None:
    from diffusers import AutoencoderKLWan

    decoder = make_decoder(tiny, "wan", CPU, torch.float32, compiled=False)
    latents = torch.randn(1, 8, 7, 4, 6)
    whole = AutoencoderKLWan(
        base_dim=4,
        decoder_base_dim=8,
        z_dim=8,
        dim_mult=[1, 2, 4, 4],
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 8,
        latents_std=[1.0] * 8,
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
    ).eval()
    whole.decoder.load_state_dict(decoder.video.state_dict())
    whole.post_quant_conv.load_state_dict(decoder.post_quant_conv.state_dict())
    with torch.no_grad():
        expected = (whole.decode(latents).sample[0].permute(1, 2, 3, 0) + 1) * 127.5
    for chunk in (1, 2, 4, 6):
        pieces = list(decoder.pictures(latents, chunk))
        assert [len(piece) for piece in pieces][:2] == [1, 4 * min(chunk, 6)]
        got = torch.cat(pieces)
        assert got.shape == (25, 64, 96, 3)
        assert (got - expected).abs().max() <= 0.51
    assert expected.std() > 1


@needs_compiler
@pytest.mark.timeout(COMPILING_S)
def test_a_compiled_decoder_gives_the_same_frames(tiny: FullConfig) -> None:
    latents = torch.randn(1, 8, 1, 2, 2)
    plain, compiled = (
        torch.cat(
            list(make_decoder(tiny, "light", CPU, torch.float32, compiled=how).pictures(latents, 2))
        )
        for how in (False, True)
    )
    assert (plain.int() - compiled.int()).abs().max() <= 1


def test_the_sound_decoder_gives_one_second_of_samples(tiny: FullConfig) -> None:
    decoder = make_decoder(tiny, "light", CPU, torch.float32, compiled=False)
    samples = decoder.samples(torch.randn(1, 25, 6))
    assert samples.shape == (2, sound_rate(tiny))
    assert samples.isfinite().all()
    assert samples.std() > 0


def test_a_run_gives_a_clip_with_sound(tiny: FullConfig, tmp_path: Path) -> None:
    model, _ = build_model(tiny, CPU, torch.bfloat16)
    decoder = make_decoder(tiny, "light", CPU, torch.bfloat16, compiled=False)
    run = Runner(tiny, model, decoder, CPU, None).run("64p")
    assert list(run.stages) == ["base", "refine", "decode", "encode"]
    (tmp_path / "clip.mp4").write_bytes(run.file)
    clip = decode(tmp_path / "clip.mp4")
    assert clip.frames.shape == (25, 64, 128, 3)
    assert clip.fps == 25
    assert clip.audio is not None
    assert clip.audio.shape[1] / 48_000 == pytest.approx(1, abs=0.05)
