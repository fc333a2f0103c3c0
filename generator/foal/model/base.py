"""What the codec and the transformer have in common as diffusers models."""

from collections.abc import Mapping
from typing import Any

from diffusers.configuration_utils import ConfigMixin
from diffusers.models.modeling_utils import ModelMixin

PUBLIC_MODULE = "generator.foal.model"  # the import path that saved pipelines name
OLD_ARGUMENT = "form"  # an argument that only configs of earlier releases have


class FoalModel(ModelMixin, ConfigMixin):
    """A diffusers model that refuses the weights of earlier releases instead of misreading them."""

    config_name = "config.json"  # type: ignore[assignment]

    @classmethod
    def from_config(cls, config: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Build a model with random weights from its config.

        Raises:
            ValueError: the config is of an earlier release.
        """
        if isinstance(config, Mapping) and OLD_ARGUMENT in config:
            raise ValueError(
                "These weights were saved by an earlier release; convert their pipeline with "
                "`python -m generator.foal.convert OLD_FOLDER NEW_FOLDER`."
            )
        return super().from_config(config, *args, **kwargs)
