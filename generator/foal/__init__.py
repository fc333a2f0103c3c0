"""Foal: the built-in miniature of a joint audio-video diffusion transformer.

Importing this package imports no torch; `FoalPipeline` is loaded when it is first asked for.
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
