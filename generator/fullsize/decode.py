"""Decode latents to frames and sound with decoders like those of Wan2.2 and Stable Audio.

Both are diffusers' classes with random weights; only the decoders of the autoencoders are built.
The video decoder is causal in time, so it decodes a few latent frames at a time and keeps the
caches of its convolutions: the result is the same, less memory is used, and finished frames are
encoded to video while the next are decoded.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from diffusers import AutoencoderKLWan, AutoencoderOobleck
from diffusers.models.autoencoders.autoencoder_kl_wan import (
    DupUp3D,
    WanCausalConv3d,
    WanRMS_norm,
    WanUpsample,
    unpatchify,
)
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from generator.fullsize.config import PATCH, FullConfig, SoundDecoder, VideoDecoder
from generator.fullsize.layout import Layout
from generator.fullsize.weights import materialize

PICTURE_PATCH = 2  # pixels along each side that the decoder outputs as channels, as in Wan2.2
LEVELS = [1, 2, 4, 4]  # channels per level, as multiples of those of the last
DOUBLES_TIME = [False, True, True]  # per level, in the encoder's order


class ClipDecoder(nn.Module):
    """Both decoders; built on the meta device, then given weights by `materialize`."""

    def __init__(self, config: FullConfig, decoder: VideoDecoder) -> None:
        super().__init__()
        latent_channels = config.transformer.latent_channels
        self.video, self.post_quant_conv = _video_decoder(latent_channels, decoder)
        self.sound = _sound_decoder(config.transformer.sound_channels, config.sound_decoder)
        self.caches = sum(isinstance(part, WanCausalConv3d) for part in self.video.modules())

    @torch.no_grad()
    def pictures(self, latents: Tensor, chunk: int) -> Iterator[Tensor]:
        """Latents (1, C, F, h, w) -> chunks of frames (n, H, W, 3) uint8.

        The first chunk is the first latent frame alone, the others are up to `chunk` of them.
        """
        for piece in self._decoded(latents, chunk):
            whole: Tensor = unpatchify(piece, PICTURE_PATCH)  # type: ignore[no-untyped-call]
            values = whole[0].clamp(-1, 1).float()
            yield ((values + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0).contiguous()

    def _decoded(self, latents: Tensor, chunk: int) -> Iterator[Tensor]:
        x = self.post_quant_conv(latents)
        cache: list[Tensor | str | None] = [None] * self.caches
        first, rest = x[:, :, :1], x[:, :, 1:]
        yield self.video(first, feat_cache=cache, feat_idx=[0], first_chunk=True)
        for piece in torch.split(rest, chunk, dim=2) if rest.shape[2] else ():
            yield self.video(piece, feat_cache=cache, feat_idx=[0])

    @torch.no_grad()
    def samples(self, tokens: Tensor) -> Tensor:
        """Sound tokens (1, S, C_s) -> stereo samples (2, N) float32 in [-1, 1]."""
        decoded: Tensor = self.sound(tokens.transpose(1, 2))[0]
        return decoded.float().clamp(-1, 1)


def make_decoder(
    config: FullConfig, name: str, device: torch.device, dtype: torch.dtype, *, compiled: bool
) -> ClipDecoder:
    """A decoder with random weights; `compiled` fuses its norms and upsampling layers."""
    with torch.device("meta"):
        decoder = ClipDecoder(config, config.decoders[name])
    materialize(decoder, device, dtype, seed=0)
    for weight in decoder.parameters():
        # GPUs convolve 16-bit numbers faster with channels last.
        if device.type == "cuda" and weight.dim() in (4, 5) and weight.shape[1] > 1:
            order = torch.channels_last if weight.dim() == 4 else torch.channels_last_3d
            weight.data = weight.data.contiguous(memory_format=order)
    if compiled:
        for part in decoder.video.modules():
            if isinstance(part, WanRMS_norm | WanUpsample | DupUp3D):
                part.compile(dynamic=False)
    return decoder


def count_decoding(config: FullConfig, name: str, size_name: str) -> int:
    """Floating point operations of decoding a clip, counted by torch on the meta device."""
    size = config.sizes[size_name]
    layout = Layout.of(config, size)
    channels = config.transformer.latent_channels
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        decoder = ClipDecoder(config, config.decoders[name])
        shape = (1, channels, layout.frames, layout.rows * PATCH, layout.columns * PATCH)
        for _ in decoder._decoded(torch.empty(shape), size.chunk):
            pass
        decoder.sound(torch.empty(1, config.transformer.sound_channels, layout.sound))
    return int(counter.get_total_flops())


def sound_rate(config: FullConfig) -> int:
    """Sample rate of the sound decoder in Hz, at one token per video frame."""
    samples = 1
    for stride in config.sound_decoder.strides:
        samples *= stride
    return samples * config.clip.fps


def _video_decoder(latent_channels: int, decoder: VideoDecoder) -> tuple[nn.Module, nn.Module]:
    whole: Any = AutoencoderKLWan(  # type: ignore[no-untyped-call]
        base_dim=4,  # of the encoder, which is not used
        decoder_base_dim=decoder.channels,
        z_dim=latent_channels,
        dim_mult=LEVELS,
        num_res_blocks=decoder.blocks,
        temperal_downsample=DOUBLES_TIME,
        latents_mean=[0.0] * latent_channels,
        latents_std=[1.0] * latent_channels,
        is_residual=True,
        in_channels=3 * PICTURE_PATCH**2,
        out_channels=3 * PICTURE_PATCH**2,
        patch_size=PICTURE_PATCH,
        scale_factor_spatial=16,
    )
    return whole.decoder, whole.post_quant_conv


def _sound_decoder(sound_channels: int, decoder: SoundDecoder) -> nn.Module:
    with warnings.catch_warnings():
        # The class uses torch's deprecated weight norm, which warns at every layer.
        warnings.filterwarnings("ignore", message=".*weight_norm", category=FutureWarning)
        whole: Any = AutoencoderOobleck(  # type: ignore[no-untyped-call]
            encoder_hidden_size=4,  # of the encoder, which is not used
            downsampling_ratios=list(decoder.strides),
            channel_multiples=list(decoder.multiples),
            decoder_channels=decoder.channels,
            decoder_input_channels=sound_channels,
        )
    decoded: nn.Module = whole.decoder
    return decoded
