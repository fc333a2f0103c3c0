"""The import path of the codec in `model_index.json` of pipelines saved by earlier releases.

Such pipelines are refused with a sentence that names the converter, `generator.foal.convert`.
"""

from generator.foal.model import FoalCodec, ModelMixin

__all__ = ["FoalCodec", "ModelMixin"]
