"""Training: one configuration file, the same bits after a kill, a gate, a loadable result."""

from pathlib import Path

import pytest
import torch

from generator.foal import FoalPipeline, train
from generator.foal.checkpoints import load_checkpoint, save_checkpoint
from generator.foal.gate import GateError
from generator.foal.train import read_config, train_from_file

TINY = """
seed = 3
checkpoint_seconds = 0
[codec]
scene_size = 4
look_size = 4
width = 16
summary_size = 16
field_hidden = 16
plane_grid = 16
[codec_training]
steps = 4
clips = 2
frames = 2
points = 16
[gate]
clips = 0
[transformer]
width = 32
layers = 1
heads = 2
[transformer_training]
clips = 2
steps = 4
batch = 2
milestones = [0.5]
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(train, "SHEET_CLIPS", 1)
    monkeypatch.setattr(train, "SHEET_PIXELS", 32)
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def _stop_at(monkeypatch: pytest.MonkeyPatch, name: str, call: int) -> None:
    """Break the training off at the n-th call of one of its functions, as Ctrl-C would."""
    real, calls = getattr(train, name), [0]

    def once(*args: object, **more: object) -> object:
        calls[0] += 1
        if calls[0] == call:
            raise KeyboardInterrupt
        return real(*args, **more)

    monkeypatch.setattr(train, name, once)


def test_a_broken_off_training_ends_with_the_same_bits(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train_from_file(config, whole)
    for name, call in (("codec_loss", 3), ("flow_loss", 3)):
        with monkeypatch.context() as patch:
            _stop_at(patch, name, call)
            with pytest.raises(KeyboardInterrupt):
                train_from_file(config, broken)
    train_from_file(config, broken)
    for stage in ("codec", "transformer"):
        one, other = (load_checkpoint(run / f"{stage}.pt") for run in (whole, broken))
        assert one is not None
        assert other is not None
        assert one["step"] == other["step"] == 4
        for kind in ("module", "mean"):
            assert one[kind].keys() == other[kind].keys()
            assert all(torch.equal(one[kind][key], other[kind][key]) for key in one[kind])


def test_a_finished_training_is_a_pipeline_with_its_sheets(config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_from_file(config, run)
    assert (run / "codec.png").exists()
    assert (run / "transformer.png").exists()
    for folder in ("model", "model-000002"):
        pipe = FoalPipeline.from_pretrained(run / folder, local_files_only=True)
        pipe.set_progress_bar_config(disable=True)
        assert pipe("a ball", height=32, width=32, num_frames=4).frames.shape == (1, 4, 32, 32, 3)
    trained = (run / "transformer.pt").stat().st_mtime_ns
    train_from_file(config, run)
    assert (run / "transformer.pt").stat().st_mtime_ns == trained


def test_a_codec_below_the_gate_stops_before_the_transformer(config: Path, tmp_path: Path) -> None:
    config.write_text(TINY.replace("[gate]\nclips = 0", "[gate]\nclips = 1"))
    with pytest.raises(GateError, match="below the gate"):
        train_from_file(config, tmp_path / "run")
    assert not (tmp_path / "run" / "transformer.pt").exists()


def test_a_second_model_needs_the_codec_of_the_first(config: Path, tmp_path: Path) -> None:
    config.write_text('codec_run = "../first"\n' + TINY)
    with pytest.raises(ValueError, match="no codec yet"):
        train_from_file(config, tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sede = 1", "unknown key 'sede'"),
        ("[codec_training]\nstep = 1", r"\[codec_training\].*unknown key 'step'"),
        ("seed =", "not a readable TOML"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_config(path)


def test_shipped_configurations_are_read() -> None:
    folder = Path(train.__file__).parent / "configs"
    names = {path.name for path in folder.glob("*.toml")}
    assert {"large.toml", "small.toml"} <= names
    for name in names:
        read_config(folder / name)


def test_a_checkpoint_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_checkpoint(path, {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(path, {"step": lambda: 2})
    assert load_checkpoint(path) == {"step": 1}
    assert load_checkpoint(tmp_path / "none.pt") is None
