"""Foal: the built-in small joint audio-video diffusion model.

Start with `pipeline` (a diffusers pipeline) and `model`; `world` is the procedural world that it is
trained on, `training` trains it, `measures` evaluates clips, `entrants` and `weights` are shipped.
`build` saves pipelines, `convert` updates those of earlier releases. May import: `generator.media`
and what it imports. Importing this package does not import torch: `FoalPipeline` is loaded on
first access.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generator.foal.pipeline import FoalPipeline

__all__ = ["FoalPipeline"]


def __getattr__(name: str) -> Any:
    if name == "FoalPipeline":
        from generator.foal.pipeline import FoalPipeline

        return FoalPipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
