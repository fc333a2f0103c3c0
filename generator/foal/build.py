"""Build pipelines from models, and save them."""

from pathlib import Path

from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)

from generator.foal.model import FoalCodec, FoalTransformer, states
from generator.foal.model.noise_schedule import SIGMA_SHIFT
from generator.foal.pipeline import FoalPipeline


def build_pipeline(codec: FoalCodec, transformer: FoalTransformer) -> FoalPipeline:
    """A pipeline of these models with Foal's noise schedule."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=SIGMA_SHIFT)
    return FoalPipeline(codec=codec.eval(), transformer=transformer.eval(), scheduler=scheduler)


def build_transformer(**sizes: int) -> FoalTransformer:
    """A transformer with random weights for the codec's latents.

    Args:
        **sizes: of `FoalTransformer`, such as `dim`, `layers` and `heads`.
    """
    transformer: FoalTransformer = FoalTransformer(
        content_tokens=states.CONTENT_TOKENS,
        content_dim=states.CONTENT_DIM,
        motion_dim=states.MOTION_DIM,
        sound_dim=states.SOUND_DIM,
        **sizes,
    )
    return transformer


def save_pipeline(pipeline: FoalPipeline, folder: Path, *, half: bool = True) -> None:
    """Write the folder that `FoalPipeline.from_pretrained` reads, weights as safetensors.

    Args:
        pipeline: keeps its precision in memory.
        folder: is created where it does not exist.
        half: store weights in half precision.
    """
    pipeline.save_pretrained(folder, safe_serialization=True)
    if not half:
        return
    for name in ("codec", "transformer"):
        model = getattr(pipeline, name)
        copy = type(model).from_config(model.config)
        copy.load_state_dict(model.state_dict())
        copy.half().save_pretrained(folder / name, safe_serialization=True)
