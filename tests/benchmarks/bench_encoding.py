"""CPU time and quality of renditions by x264 preset, at the sizes of the shipped tracks.

Run: python tests/benchmarks/bench_encoding.py [PRESET ...]

One clip of 256x256 by Foal L and one of 1280x720 (moving texture with grain, which is hard to
encode) are encoded as silent renditions of the shipped demo and standard tracks. The peak
signal-to-noise ratio is that of the luma, mean and minimum over pictures.
"""

import io
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from scipy.ndimage import gaussian_filter

import generator.foal
from arena.catalog.schemas import read_track
from arena.shipped import Collection, track_files
from generator.clips import RawClip
from generator.foal import FoalPipeline
from generator.media import encode, encode_rendition
from generator.spec import TrackSettings

PRESETS = ("veryfast", "faster", "medium")
WEIGHTS = Path(generator.foal.__file__).parent / "weights" / "large"
LUMA = np.array([0.299, 0.587, 0.114])


def shipped_track(collection: Collection) -> TrackSettings:
    """The silent track of texts."""
    return TrackSettings.model_validate(read_track(track_files(collection)[0]).model_dump())


def foal_frames() -> np.ndarray:
    torch.set_num_threads(1)
    pipe = FoalPipeline.from_pretrained(WEIGHTS, local_files_only=True)
    generated = pipe("two blue cubes roll", generator=torch.Generator().manual_seed(0)).frames
    return np.clip(255 * np.asarray(generated)[0] + 0.5, 0, 255).astype(np.uint8)


def texture_frames() -> np.ndarray:
    random = np.random.default_rng(0)
    height, width, count = 720, 1280, 120
    shape = (height + count, width + 2 * count, 3)
    texture = 110 + np.zeros(shape)
    for blur, contrast in ((6.0, 40.0), (1.2, 10.0)):
        layer = gaussian_filter(random.normal(size=shape), (blur, blur, 0))
        texture += contrast * layer / layer.std()
    frames = np.empty((count, height, width, 3), np.uint8)
    for time_ in range(count):
        seen = texture[time_ : time_ + height, 2 * time_ : 2 * time_ + width]
        frames[time_] = np.clip(seen + random.normal(0, 2, (height, width, 1)), 0, 255)
    return frames


def quality(frames: np.ndarray, rendition: bytes) -> np.ndarray:
    """Peak signal-to-noise ratio of every sixth picture, dB."""
    with av.open(io.BytesIO(rendition)) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    errors = [
        np.mean(((shown.astype(float) - made) @ LUMA) ** 2)
        for shown, made in zip(decoded[::6], frames[::6], strict=True)
    ]
    return 10 * np.log10(255**2 / np.array(errors))


def main() -> None:
    clips = {Collection.DEMO: foal_frames(), Collection.STANDARD: texture_frames()}
    sys.stdout.write("preset     track              CPU s    mean dB   min dB\n")
    for preset in sys.argv[1:] or PRESETS:
        encode.PRESET = preset
        for collection, frames in clips.items():
            track = shipped_track(collection)
            raw = RawClip(frames=frames, fps=Fraction(24), audio=None, sample_rate=None)
            begun = time.process_time()
            rendition = encode_rendition(raw, track)
            spent = time.process_time() - begun
            ratio = quality(frames, rendition)
            size = f"{track.width}x{track.height}, {track.video_kbps} kbit/s"
            sys.stdout.write(
                f"{preset:10} {size:22} {spent:6.2f}   {ratio.mean():6.2f}   {ratio.min():6.2f}\n"
            )


if __name__ == "__main__":
    main()
