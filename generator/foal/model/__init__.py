"""Foal's networks: the codec and the diffusion transformer.

Start with `transformer`, then `blocks`; `codec` turns clips into latents and back.
May import: `generator.foal.world`.
"""

from generator.foal.model.codec import FoalCodec
from generator.foal.model.transformer import FoalTransformer

__all__ = ["FoalCodec", "FoalTransformer"]
