"""Quality gate for the codec: a transformer is trained only on a codec that reconstructs well."""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from generator.files import atomic_write
from generator.foal.measures.measure_folder import DecodedClip, FolderMeasures, measure_clips
from generator.foal.model.codec import FoalCodec
from generator.foal.model.scene_encoder import IMAGE_SIZE
from generator.foal.world.captions import plain_caption
from generator.foal.world.clip import FRAME_RATE, make_clip
from generator.foal.world.pictures import to_uint8
from generator.foal.world.scenes import sample_scene

logger = logging.getLogger(__name__)

GATE_SEED = 70_001
GATE_PIXELS = 256


class QualityGateError(RuntimeError):
    """The codec's reconstructions are not good enough; the message names the figure."""


@dataclass(frozen=True)
class QualityGate:
    """Minimum mean figures over reconstructions of held-out clips with one and two objects."""

    clips: int = 40
    colour: float = 0.95
    shape: float = 0.80
    two_colour: float = 0.95
    two_shape: float = 0.80


def check_quality(codec: FoalCodec, gate: QualityGate, record: Path) -> None:
    """Measure reconstructions, unless the figures are in `record` already, and compare them.

    Raises:
        QualityGateError: a figure is below its minimum.
    """
    if gate.clips == 0:
        return
    if record.exists():
        means: dict[str, float] = json.loads(record.read_text())
    else:
        means = {}
        for objects, prefix in ((1, ""), (2, "two_")):
            summary = measure_reconstructions(codec, gate.clips, objects=objects).summary
            means |= {prefix + name: estimate.mean for name, estimate in summary.items()}
        with atomic_write(record) as file:
            file.write((json.dumps(means, indent=1) + "\n").encode())
    for name, minimum in asdict(gate).items():
        if name != "clips" and means[name] < minimum:
            raise QualityGateError(
                f"The codec's reconstructions have {name} {means[name]:.2f}, below the minimum of "
                f"{minimum:.2f}: train it longer, or lower quality_gate in the configuration."
            )
    logger.info("quality gate passed: %s", " ".join(f"{k} {v:.3f}" for k, v in means.items()))


@torch.no_grad()
def measure_reconstructions(codec: FoalCodec, count: int, *, objects: int) -> FolderMeasures:
    """Measure held-out clips after encoding and decoding their frames; the sound is kept."""

    def decoded_clips() -> Iterator[tuple[str, str, DecodedClip]]:
        for i in range(count):
            rng = np.random.default_rng((GATE_SEED, objects, i))
            scene = sample_scene(rng, held_out=True, objects=objects)
            clip = make_clip(rng, scene=scene)
            content, motion = codec.encode(clip.frames(height=IMAGE_SIZE, width=IMAGE_SIZE))
            size = GATE_PIXELS
            decoded = codec.decode(content, motion, height=size, width=size)[0]
            frames = to_uint8(decoded.float().numpy())
            audio = clip.audio()[None]
            yield str(i), plain_caption(scene), DecodedClip(frames, FRAME_RATE, audio, 48_000)

    return measure_clips(decoded_clips())
