"""The codec under the import path that `model_index.json` of saved pipelines names."""

from generator.foal.model.codec import FoalCodec

__all__ = ["FoalCodec"]
