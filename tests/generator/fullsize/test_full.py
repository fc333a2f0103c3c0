"""The full-size benchmark: published figures, the command, its configs."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from generator.__main__ import main
from generator.errors import BackendError, SpecError
from generator.fullsize.attention import layer_attentions
from generator.fullsize.bench import Request, bench
from generator.fullsize.config import FullConfig, read_full_config
from generator.fullsize.decode import count_decoding, sound_rate
from generator.fullsize.device import check_memory
from generator.fullsize.flops import Work, count_step
from generator.fullsize.generate import Latents, Stage, denoise, upscale
from generator.fullsize.layout import Layout
from generator.fullsize.memory import needed_bytes
from generator.fullsize.model import FullModel
from generator.fullsize.report import StageTimes
from generator.fullsize.weights import count_parameters

CPU = torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def tiny() -> FullConfig:
    return read_full_config("full-tiny")


@pytest.fixture(scope="module")
def full() -> FullConfig:
    return read_full_config("full")


def test_the_full_model_has_the_published_number_of_parameters(full: FullConfig) -> None:
    counted = count_parameters(full.transformer)
    assert f"{counted.stored / 1e9:.2f}" == "15.28"
    assert f"{counted.active / 1e9:.2f}" == "10.91"
    assert f"{counted.whole / 1e9:.2f}" == "15.30"  # with the maps in and out


def test_the_full_clip_has_the_published_number_of_tokens(full: FullConfig) -> None:
    layouts = {name: Layout.of(full, size) for name, size in full.sizes.items()}
    assert {name: layout.tokens for name, layout in layouts.items()} == {
        "256p": 320 + 32 * 120 + 125,
        "540p": 320 + 32 * 448 + 125,
        "1080p": 320 + 32 * 2040 + 125,
    }
    local = sum(
        attend.keywords["radius"] > 0
        for attend in layer_attentions(full.transformer, layouts["1080p"], 11)
    )
    assert local == 32
    assert sound_rate(full) == 51_200


def test_the_operations_of_the_full_model_match_the_published_ones(full: FullConfig) -> None:
    def petaflop(name: str, radius: int, steps: int) -> float:
        layout = Layout.of(full, full.sizes[name])
        return (count_step(full.transformer, layout, radius) * steps).total / 1e15

    assert petaflop("256p", 0, 8) == pytest.approx(0.87, abs=0.005)
    assert petaflop("540p", 0, 5) == pytest.approx(2.51, abs=0.005)
    assert petaflop("1080p", 0, 5) == pytest.approx(24.9, abs=0.05)
    assert petaflop("1080p", 11, 5) == pytest.approx(19.1, abs=0.05)


def test_both_stages_run_without_waiting_for_the_device(
    full: FullConfig,
) -> None:
    # Meta tensors have no values: code that waits for the device fails on them.
    meta = torch.device("meta")
    base = Stage.base(full, meta, torch.bfloat16)
    refinement = Stage.refinement(full, "1080p", meta, torch.bfloat16)
    assert refinement
    assert (base.steps, refinement.steps) == (8, 5)
    short = replace(base, sigmas=base.sigmas[-2:]), replace(refinement, sigmas=(0.7, 0.0))
    with meta:
        model = FullModel(full.transformer, padded=True).to(torch.bfloat16)
        text = torch.empty(1, 320, 3584, dtype=torch.bfloat16)
        noise = Latents(torch.empty(1, 3840, 192), torch.empty(1, 125, 64))
    latents = denoise(model, text, noise, short[0])
    larger = upscale(latents, short[0], short[1], None)
    refined = denoise(model, text, larger, short[1], update_sound=False)
    assert refined.video.shape == (1, 65280, 192)
    assert refined.sound.shape == (1, 125, 64)


def test_the_light_decoder_needs_fewer_operations(full: FullConfig) -> None:
    # Wan2.2's at 256p, counted on its own: 1 + 31 latent frames.
    assert count_decoding(full, "wan", "256p") == pytest.approx(284e12, rel=0.01)
    assert count_decoding(full, "light", "256p") < count_decoding(full, "wan", "256p") / 6


def test_bench_reports_every_stage_of_every_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    words = ["--config", "full-tiny", "--device", "cpu", "--runs", "2", "--json", str(figures)]
    monkeypatch.setattr(sys, "argv", ["generator", "bench", *words])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert (ended.value.code or 0, shown.err) == (0, "")
    assert "Median of 2 runs" in shown.out
    assert "refine" in shown.out
    report = json.loads(figures.read_text())
    rows = {(row["size"], row["stage"]): row for row in report["stages"]}
    assert [stage for size, stage in rows if size == "32p"] == ["base", "decode", "encode", "total"]
    assert len(rows["64p", "total"]["seconds"]) == 2
    assert rows["64p", "refine"]["flop_per_second"] > 0
    assert rows["64p", "refine"]["share_of_peak"] is None
    assert rows["64p", "total"]["peak_bytes"] > 0


def test_bench_measures_the_error_of_float8() -> None:
    report = bench(Request("full-tiny", "32p", "fp8", "wan", "cpu", False, runs=1))
    assert report.float8_error
    assert any("FP8 against bf16" in note for note in report.notes())
    assert report.decoder == "wan"


def test_the_share_of_the_peak_counts_fp8_and_bf16_separately() -> None:
    report = bench(Request("full-tiny", "32p", "bf16", "", "cpu", False, runs=1))
    work = Work(large=1979 * 10**12, small=0, attention=989 * 10**12)
    stage = StageTimes("1080p", "refine", (4.0, 8.0, 5.0), 9, work, 1)
    on_h100 = replace(report, device="NVIDIA H100 80GB HBM3", precision="fp8")
    assert on_h100.share_of_peak(stage) == pytest.approx(2 / 5)
    assert replace(on_h100, precision="bf16").share_of_peak(stage) == pytest.approx(
        3.001 / 5, abs=1e-3
    )
    assert replace(on_h100, device="Some GPU").share_of_peak(stage) is None
    assert replace(on_h100, device="NVIDIA A100-SXM4-80GB").share_of_peak(stage) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--config", "none"), "no config none; use a TOML file or one of full, full-tiny"),
        (("--config", "missing.toml"), "no config missing.toml"),
        (("--config", "full-tiny", "--size", "8k"), "no size '8k'; it has 32p, 64p, all"),
        (("--config", "full-tiny", "--decoder", "x"), "no decoder 'x'"),
        (("--config", "full-tiny", "--precision", "int4"), "no precision 'int4'"),
        (("--config", "full-tiny", "--device", "tpu"), "no device 'tpu'"),
        (("--config", "full-tiny", "--device", "cpu", "--json", "no/x.json"), "folder no does not"),
    ],
)
def test_invalid_arguments_are_reported_in_one_line(
    words: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["generator", "bench", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_gpu_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match="No GPU"):
        bench(Request("full"))


def test_too_little_memory_is_reported_before_anything_is_built(
    full: FullConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generator.fullsize.device.available_memory", lambda: 24 * 10**9)
    with pytest.raises(BackendError, match=r"needs about \d+\.\d GB .* has 24\.0 GB free"):
        bench(Request("full", device="cpu"))
    check_memory(23 * 10**9, CPU)
    needs = {
        float8: needed_bytes(full, ("1080p",), "light", float8=float8) for float8 in (False, True)
    }
    assert 15.3e9 < needs[True] < needs[False] - 10e9
    assert 30.6e9 < needs[False] < 80e9  # one card of 80 GB holds it


@needs_gpu
@pytest.mark.parametrize("precision", ["bf16", "fp8"])
def test_the_denoising_loops_never_wait_for_the_gpu(precision: str) -> None:
    report = bench(Request("full-tiny", "all", precision, "wan", "cuda", True, runs=2))
    assert report.waits == 0
    if report.float8_error:
        assert 0.001 < report.float8_error.video < 0.1


def test_the_table_of_the_documentation_matches_the_formula(full: FullConfig) -> None:
    page = (Path(__file__).parents[3] / "docs" / "full-size.md").read_text(encoding="utf-8")
    rows = [
        line
        for line in page.splitlines()
        if line.startswith(("| base |", "| refine |", "| refine, "))
    ]
    assert len(rows) == 4
    for row in rows:
        stage, size, tokens, steps, large, attention, total = row.strip("| ").split(" | ")[:7]
        local = stage == "refine, local"
        layout = Layout.of(full, full.sizes[size])
        work = count_step(full.transformer, layout, 11 if local else 0) * int(steps)
        assert int(tokens.replace(",", "")) == layout.tokens
        assert f"{(work.large + work.small) / 1e15:.2f}" == large
        assert f"{work.attention / 1e15:.2f}" == attention
        assert f"{work.total / 1e15:.2f}" == total


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("mlp_dim = 100", "mlp_dim = 100\nwidht = 3"), "transformer.widht is not a known key"),
        (("steps = 2\nsize", "steps = 0\nsize"), "base.steps"),
        (('size = "32p"', 'size = "9p"'), "base.size '9p' is not one of 32p, 64p"),
        (("kv_heads = 2", "kv_heads = 3"), "must be a multiple of kv_heads"),
        (("fps = 25", "fps = 24"), "24, which is not 4 n \\+ 1"),
        (("global_layers = [2]", "global_layers = [6]"), "not among the 6"),
        (("dim = 64\nlayers", "dim = \nlayers"), "not a readable TOML file"),
    ],
)
def test_an_invalid_config_names_the_key(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    import generator.fullsize as package

    shipped = Path(package.__file__).parent / "configs" / "full-tiny.toml"
    text = shipped.read_text()
    assert change[0] in text
    path = tmp_path / "other.toml"
    path.write_text(text.replace(*change, 1))
    with pytest.raises(SpecError, match=message):
        read_full_config(str(path))
