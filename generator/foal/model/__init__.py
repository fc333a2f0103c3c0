"""Foal's networks: the diffusion transformer and the codec between clips and its latents.

Start with `transformer` and `blocks`; `states` defines the latents, `codec` encodes clips with
`scene_encoder` and decodes them with `compositor` and `neural_fields`; `noise_schedule` and
`latents` serve sampling and training. `model_index.json` of saved pipelines names this package.
May import: `generator.foal.world`.
"""

# diffusers looks up the methods that load a model in the module that model_index.json names.
from diffusers.models.modeling_utils import ModelMixin

from generator.foal.model.codec import FoalCodec
from generator.foal.model.transformer import FoalTransformer

__all__ = ["FoalCodec", "FoalTransformer", "ModelMixin"]
