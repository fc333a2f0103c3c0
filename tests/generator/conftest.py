"""A tiny real model for the tests of the generator."""

from pathlib import Path

import pytest

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
    """The spec of an entrant with Foal's real classes, tiny and with random weights."""
    from generator.foal.build import build_tiny_pipeline, save_pipeline

    folder = tmp_path_factory.mktemp("foal")
    save_pipeline(build_tiny_pipeline(), folder / "tiny")
    spec = folder / "tiny.toml"
    spec.write_text(ENTRANT_TOML, encoding="utf-8")
    return spec
