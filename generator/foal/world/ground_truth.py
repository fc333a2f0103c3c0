"""Write ground-truth clips as files: first images and source videos for prompts."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from generator.clips import RawClip
from generator.foal.world.clip import FRAME_RATE, make_clip, scene_for
from generator.foal.world.pictures import to_uint8
from generator.foal.world.sound import SAMPLE_RATE
from generator.media import encode_rendition
from generator.spec import TrackSettings

IMAGE_SUFFIX, VIDEO_SUFFIX = ".png", ".mp4"
TRACK = "text-to-video-audio"
SOURCE_KBPS, SOURCE_BYTES = 400, 232 * 1024  # a source is shown once next to two clips


def write_ground_truth(caption: str, output: Path, *, seed: int) -> None:
    """Render a caption's scene to a clip with sound (.mp4) or to its first frame (.png).

    Raises:
        ValueError: the caption asks for nothing of this world, or `output` has another suffix.
    """
    if output.suffix not in (IMAGE_SUFFIX, VIDEO_SUFFIX):
        raise ValueError(f"{output} must end in {VIDEO_SUFFIX} or {IMAGE_SUFFIX}.")
    rng = np.random.default_rng(seed)
    clip = make_clip(rng, scene=scene_for(caption, rng))
    if output.suffix == IMAGE_SUFFIX:
        Image.fromarray(to_uint8(clip.frames()[0])).save(output, optimize=True)
        return
    frames = to_uint8(clip.frames())
    sound = np.repeat(clip.audio()[None], 2, axis=0)
    raw = RawClip(frames, Fraction(FRAME_RATE), sound, SAMPLE_RATE)
    overrides = {"video_kbps": SOURCE_KBPS, "bytes": SOURCE_BYTES}
    track = TrackSettings.named(TRACK).model_copy(update=overrides)
    output.write_bytes(encode_rendition(raw, track))
