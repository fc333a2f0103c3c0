"""Training: reproducible after interruption, gated by the codec's quality, loadable."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from generator.foal import FoalPipeline
from generator.foal.training import contact_sheets as sheets
from generator.foal.training import train
from generator.foal.training.checkpoints import load_checkpoint, save_checkpoint
from generator.foal.training.quality_gate import QualityGateError
from generator.foal.training.train import read_config, train_from_file

TINY = """
seed = 3
checkpoint_seconds = 0
[codec]
encoder_dim = 8
field_hidden = 16
shadow_hidden = 8
plane_rows = 16
[decoder_training]
steps = 4
clips = 2
frames = 2
points = 16
background_points = 16
[scene_encoder_training]
steps = 4
batch = 2
[quality_gate]
clips = 0
[transformer]
dim = 32
layers = 3
heads = 2
kv_heads = 1
mlp_dim = 48
modality_layers = 1
[transformer_training]
steps = 4
batch = 2
milestones = [2]
[distillation]
steps = 4
batch = 2
student_steps = 2
"""
ONE_STEP = "[transformer_training]\nmuon_rate = 1e-4\nadam_rate = 1e-4\nsteps = 1"
STAGES = ("decoder", "encoder", "transformer", "distilled")
LOSSES = ("decoder_loss", "scene_encoder_loss", "flow_loss", "distillation_loss")


@pytest.fixture(autouse=True, scope="module")
def _small_sheets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "CLIPS", 1)
        patch.setattr(sheets, "PIXELS", 32)
        yield


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def finished(_small_sheets: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that was not interrupted; tests only read it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.toml").write_text(TINY)
    train_from_file(folder / "tiny.toml", folder / "run")
    return folder / "run"


def _stop_at(monkeypatch: pytest.MonkeyPatch, name: str, call: int) -> None:
    """Interrupt the training at the n-th call of one of its functions, as Ctrl-C would."""
    real, calls = getattr(train, name), [0]

    def once(*args: object, **more: object) -> object:
        calls[0] += 1
        if calls[0] == call:
            raise KeyboardInterrupt
        return real(*args, **more)

    monkeypatch.setattr(train, name, once)


def test_an_interrupted_training_ends_with_identical_weights(
    config: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    for name in LOSSES:
        with monkeypatch.context() as patch:
            _stop_at(patch, name, 3)
            with pytest.raises(KeyboardInterrupt):
                train_from_file(config, broken)
    train_from_file(config, broken)
    for stage in STAGES:
        one, other = (load_checkpoint(run / f"{stage}.pt") for run in (finished, broken))
        assert one is not None
        assert other is not None
        assert one["step"] == other["step"] == 4
        for kind in ("module", "mean"):
            assert one[kind].keys() == other[kind].keys()
            assert all(torch.equal(one[kind][key], other[kind][key]) for key in one[kind])


def test_a_finished_training_saves_pipelines_and_sample_sheets(
    config: Path, finished: Path
) -> None:
    assert all((finished / f"{stage}.png").exists() for stage in STAGES)
    for folder in ("model", "model-000002", "model-distilled"):
        pipe = FoalPipeline.from_pretrained(finished / folder, local_files_only=True)
        pipe.set_progress_bar_config(disable=True)
        assert pipe("a ball", height=32, width=32, num_frames=4).frames.shape == (1, 4, 32, 32, 3)
    trained = (finished / "transformer.pt").stat().st_mtime_ns
    train_from_file(config, finished)
    assert (finished / "transformer.pt").stat().st_mtime_ns == trained


def test_a_codec_below_the_quality_gate_stops_the_training(config: Path, tmp_path: Path) -> None:
    config.write_text(TINY.replace("[quality_gate]\nclips = 0", "[quality_gate]\nclips = 1"))
    with pytest.raises(QualityGateError, match="below the minimum"):
        train_from_file(config, tmp_path / "run")
    assert not (tmp_path / "run" / "transformer.pt").exists()


def test_a_shared_codec_must_be_trained_first(config: Path, tmp_path: Path) -> None:
    config.write_text('codec_run = "../first"\n' + TINY)
    with pytest.raises(ValueError, match="no decoder yet"):
        train_from_file(config, tmp_path / "run")


def test_a_transformer_can_be_initialized_from_another_training(
    config: Path, tmp_path: Path
) -> None:
    config.write_text(TINY.replace("modality_layers = 1", "modality_layers = 1\nself_cond = false"))
    train_from_file(config, tmp_path / "plain")
    further = 'codec_run = "../plain"\ntransformer_run = "../plain"\n' + TINY
    config.write_text(further.replace("[transformer_training]\nsteps = 4", ONE_STEP))
    train_from_file(config, tmp_path / "large")
    plain, large = (
        load_checkpoint(tmp_path / run / "transformer.pt") for run in ("plain", "large")
    )
    assert plain is not None
    assert large is not None
    assert {"self_cond_motion_in.weight"} <= large["mean"].keys() - plain["mean"].keys()
    moved = [float((large["mean"][k] - plain["mean"][k]).abs().max()) for k in plain["mean"]]
    assert max(moved) < 0.1

    config.write_text(further.replace("dim = 32", "dim = 64"))
    with pytest.raises(ValueError, match="other sizes"):
        train_from_file(config, tmp_path / "wide")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sede = 1", "unknown key 'sede'"),
        ("[scene_encoder_training]\nstep = 1", r"\[scene_encoder_training\].*unknown key 'step'"),
        ("seed =", "not a readable TOML"),
    ],
)
def test_an_invalid_configuration_is_refused_by_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_config(path)


def test_shipped_configurations_are_valid() -> None:
    folder = Path(train.__file__).parents[1] / "configs"
    configs = {path.stem: read_config(path) for path in folder.glob("*.toml")}
    assert {"plain", "large", "small"} <= configs.keys()
    # Fields that are tables must have been converted to their own types.
    assert all(config.transformer_training.steps > 0 for config in configs.values())


def test_batches_from_worker_processes_give_identical_weights(
    config: Path, finished: Path, tmp_path: Path
) -> None:
    config.write_text("workers = 2\n" + TINY)
    train_from_file(config, tmp_path / "run")
    for stage in STAGES:
        one, other = (load_checkpoint(run / f"{stage}.pt") for run in (finished, tmp_path / "run"))
        assert one is not None
        assert other is not None
        assert all(torch.equal(one["mean"][key], other["mean"][key]) for key in one["mean"])


def test_a_failed_checkpoint_keeps_the_previous_one(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_checkpoint(path, {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"step": lambda: 2})
    assert load_checkpoint(path) == {"step": 1}
    assert load_checkpoint(tmp_path / "none.pt") is None
