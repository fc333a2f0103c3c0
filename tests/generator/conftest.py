"""A tiny model of the real classes, and a server of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from video_servers import KEY_VARIABLE, SLOW, Served, serving

ENTRANT_TOML = """
name = "Tiny Foal"
creator = "Nobody"
licence = "MIT"
tracks = ["text-to-video-audio", "text-to-video"]

[backend]
kind = "diffusers"
pipeline = "generator.foal:FoalPipeline"
model = "tiny"
[backend.call]
num_inference_steps = 2
"""


@pytest.fixture(scope="session")
def tiny_foal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spec of a tiny Foal with random weights."""
    from tiny_foal import build_tiny_pipeline

    from generator.foal.build import save_pipeline

    folder = tmp_path_factory.mktemp("foal")
    save_pipeline(build_tiny_pipeline(), folder / "tiny")
    spec = folder / "tiny.toml"
    spec.write_text(ENTRANT_TOML, encoding="utf-8")
    return spec


@pytest.fixture(scope="session")
def served(tiny_foal: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a server with the tiny Foal and a second entrant without images, slow for one prompt."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "slow_pipeline.py").write_text(SLOW, encoding="utf-8")
    text = tiny_foal.read_text(encoding="utf-8").replace('"tiny"', f'"{tiny_foal.parent / "tiny"}"')
    every = text.replace("tracks = [", 'tracks = ["image-to-video", ')
    slow = text.replace("Tiny Foal", "Slow Foal").replace(
        "generator.foal:FoalPipeline", "slow_pipeline:SlowPipeline"
    )
    for name, spec in (("every", every), ("slow", slow)):
        (folder / f"{name}.toml").write_text(spec, encoding="utf-8")
    options = ("--queue", "2", "--keep", "8", "--api-key-env", KEY_VARIABLE, "--max-upload", "1")
    specs = (folder / "every.toml", folder / "slow.toml")
    with serving(*specs, *options, "--folder", folder / "videos", modules=folder) as server:
        yield server
