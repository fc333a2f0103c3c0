"""The configuration of a full-size model: sizes, stages and decoders, read from TOML."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from generator.errors import SpecError
from generator.foal.model.blocks import StreamConfig
from generator.validation import describe_validation_error

VAE_TIME, VAE_SPACE = 4, 16  # frames and pixels per latent of Wan2.2's autoencoder
PATCH = 2  # latents along each side of a token
Scaling = Literal["row", "tensor"]  # what shares an FP8 scale: a row of a matrix, or all of it
ALIGNMENT = 128  # mlp_dim is padded to a multiple of it: the tile of GPU matrix kernels


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Transformer(_Part):
    """Sizes of the transformer and its inputs.

    Attributes:
        modality_layers: layers at either end with weights per modality.
        global_layers: the layers that stay global at sizes with local attention.
    """

    dim: int = Field(ge=1)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    head_dim: int = Field(ge=6)
    mlp_dim: int = Field(ge=1)
    modality_layers: int = Field(ge=0)
    global_layers: tuple[int, ...]
    text_channels: int = Field(ge=1)
    latent_channels: int = Field(ge=1)
    sound_channels: int = Field(ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.shape()
        if not set(self.global_layers) <= set(range(self.layers)):
            raise ValueError(f"global_layers name a layer that is not among the {self.layers}")
        return self

    @property
    def video_channels(self) -> int:
        """Channels of a video token, which is a patch of latents."""
        return self.latent_channels * PATCH * PATCH

    def shape(self, *, padded: bool = False) -> StreamConfig:
        """The transformer's sizes; `padded` rounds mlp_dim up for matrix kernels.

        Rows of 13,652 numbers do not start at multiples of 16 bytes, which fast kernels need.
        """
        hidden = -(-self.mlp_dim // ALIGNMENT) * ALIGNMENT if padded else self.mlp_dim
        return StreamConfig(
            self.dim,
            self.layers,
            self.heads,
            self.kv_heads,
            self.head_dim,
            hidden,
            self.modality_layers,
        )


class Clip(_Part):
    """The generated clip: seconds of video with sound, from features of a text."""

    seconds: int = Field(ge=1)
    fps: int = Field(ge=1)
    text_tokens: int = Field(ge=1)

    @property
    def frames(self) -> int:
        """Number of decoded frames, and of sound tokens."""
        return self.seconds * self.fps

    @property
    def latent_frames(self) -> int:
        """Number of latent frames: the first is one frame, the others four each."""
        return (self.frames - 1) // VAE_TIME + 1

    @model_validator(mode="after")
    def _whole_latents(self) -> Self:
        if (self.frames - 1) % VAE_TIME:
            raise ValueError(f"seconds x fps is {self.frames}, which is not 4 n + 1")
        return self


class Size(_Part):
    """A size of the final clip; with `steps` 0 the base stage's clip is final.

    Attributes:
        steps: of the refinement.
        renoise: noise level of the upscaled latents that the refinement starts from.
        window_radius: latent frames to either side that a local layer sees; with 0 all layers are
            global.
        chunk: latent frames decoded at once.
    """

    width: int = Field(ge=32, multiple_of=VAE_SPACE * PATCH)
    height: int = Field(ge=32, multiple_of=VAE_SPACE * PATCH)
    steps: int = Field(ge=0)
    renoise: float = Field(default=0.7, gt=0, le=1)
    window_radius: int = Field(default=0, ge=0)
    chunk: int = Field(default=1, ge=1)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of video tokens in a latent frame."""
        return self.height // (VAE_SPACE * PATCH), self.width // (VAE_SPACE * PATCH)


class VideoDecoder(_Part):
    """A decoder like Wan2.2's: channels at the highest resolution, residual blocks per level."""

    channels: int = Field(ge=4, multiple_of=4)
    blocks: int = Field(default=2, ge=1)


class SoundDecoder(_Part):
    """Stable Audio's decoder; the product of its strides is the samples per token."""

    channels: int = Field(ge=1)
    multiples: tuple[int, ...]
    strides: tuple[int, ...]


class Base(_Part):
    """The first stage: its steps, its size and the shift of its noise schedule."""

    steps: int = Field(ge=1)
    size: str
    shift: float = Field(default=5.0, gt=0)


class FullConfig(_Part):
    """A full-size model and the clips to time."""

    name: str
    transformer: Transformer
    clip: Clip
    base: Base
    sizes: dict[str, Size]
    decoders: dict[str, VideoDecoder] = Field(min_length=1)
    sound_decoder: SoundDecoder
    float8_scaling: Scaling = "row"

    @model_validator(mode="after")
    def _base_is_a_size(self) -> Self:
        if self.base.size not in self.sizes:
            raise ValueError(f"base.size {self.base.size!r} is not one of {', '.join(self.sizes)}")
        return self

    def chosen_sizes(self, name: str) -> tuple[str, ...]:
        """The names of the sizes that `--size` selects.

        Raises:
            SpecError: The size does not exist.
        """
        if name == "all":
            return tuple(self.sizes)
        if name not in self.sizes:
            known = ", ".join((*self.sizes, "all"))
            raise SpecError(f"The config {self.name} has no size {name!r}; it has {known}.")
        return (name,)

    def chosen_decoder(self, name: str) -> str:
        """The name of the video decoder that `--decoder` selects; the first if it is empty.

        Raises:
            SpecError: The decoder does not exist.
        """
        if name and name not in self.decoders:
            known = ", ".join(self.decoders)
            raise SpecError(f"The config {self.name} has no decoder {name!r}; it has {known}.")
        return name or next(iter(self.decoders))


def read_full_config(name: str) -> FullConfig:
    """Read a config by its shipped name (`full`, `full-tiny`) or by the path of a TOML file.

    Raises:
        SpecError: The config does not exist, or has an invalid key or value; the message names
            the file and the key.
    """
    folder = files("generator.fullsize") / "configs"
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not path.is_file():
        known = sorted(
            entry.name.removesuffix(".toml")
            for entry in folder.iterdir()
            if entry.name.startswith("full")
        )
        raise SpecError(f"There is no config {name}; use a TOML file or one of {', '.join(known)}.")
    try:
        return FullConfig.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{name}: not a readable TOML file ({error}).") from error
    except ValidationError as error:
        raise SpecError(f"{name}: {describe_validation_error(error, FullConfig)}.") from error
