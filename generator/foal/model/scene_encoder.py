"""The codec's encoder: a CenterNet-style detector, and tracking of its detections over a clip.

A convolutional network predicts for every grid cell of a picture whether the centre of an object
lies in it, and the object's attributes (Zhou, Wang and Kraehenbuehl 2019, "Objects as Points").
Detections of a clip are joined to one track per object.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.foal.model import states
from generator.foal.world.assignment import assign

IMAGE_SIZE = 128  # height and width of the input, pixels
STRIDE = 4  # pixels of a grid cell, folded into channels
GRID = IMAGE_SIZE // STRIDE
DILATIONS = (1, 2, 4, 8, 1)  # an object's shadow and rope may be far from it
# Output channels of a cell: centre logit; offset of the centre; the slot's content but for
# PRESENCE; cosine and sine of four times the angle, which are the same for all views of a cube.
HEATMAP, OFFSET, ATTRIBUTES = 0, slice(1, 3), slice(3, 2 + states.SLOT_DIM)
ANGLE = slice(2 + states.SLOT_DIM, 4 + states.SLOT_DIM)
OUTPUT_CHANNELS = ANGLE.stop
SCORE_THRESHOLD = 0.4
BATCH_SIZE = 16  # pictures
MAX_MATCH_COST = 0.35  # picture heights per frame; beyond it, detections are different objects
APPEARANCE_WEIGHT = 0.25  # picture heights that a difference of 1 in appearance counts as


@dataclass(frozen=True)
class SceneEncoderOutput:
    """Predictions for N pictures."""

    cells: Tensor  # (N, OUTPUT_CHANNELS, GRID, GRID)
    scene: Tensor  # (N, SCENE_DIM)
    camera: Tensor  # (N, 2): pan and zoom as in motion latents


class SceneEncoder(nn.Module):
    """A network of dilated convolutions on a grid of stride 4."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3 * STRIDE * STRIDE, dim, 3, padding=1)
        self.pos_embed = nn.Parameter(0.02 * torch.randn(dim, GRID, GRID))
        self.blocks = nn.ModuleList(
            nn.Conv2d(dim, dim, 3, padding=dilation, dilation=dilation) for dilation in DILATIONS
        )
        self.head = nn.Sequential(
            nn.Conv2d(dim, dim, 1), nn.SiLU(), nn.Conv2d(dim, OUTPUT_CHANNELS, 1)
        )
        self.reduce = nn.Conv2d(dim, 16, 4, stride=4)
        self.scene_head = nn.Sequential(
            nn.Linear(16 * (GRID // 4) ** 2, dim),
            nn.SiLU(),
            nn.Linear(dim, states.SCENE_DIM + 2),
        )

    def forward(self, pictures: Tensor) -> SceneEncoderOutput:
        """Encode pictures (N, 3, IMAGE_SIZE, IMAGE_SIZE) in [0, 1]."""
        # Shape: (N, 3, 128, 128) -> (N, 48, 32, 32) -> (N, dim, 32, 32)
        folded = functional.pixel_unshuffle(pictures - 0.5, STRIDE)
        x = self.stem(folded.contiguous(memory_format=torch.channels_last)) + self.pos_embed
        for block in self.blocks:
            x = x + block(functional.silu(x))
        x = functional.silu(x)
        # Shape: (N, dim, 32, 32) -> (N, 16, 8, 8) -> (N, SCENE_DIM + 2)
        scene = self.scene_head(functional.silu(self.reduce(x)).flatten(1)).float()
        return SceneEncoderOutput(self.head(x).float(), scene[:, :-2], scene[:, -2:])


def cell_centres(like: Tensor) -> Tensor:
    """Centres of all cells in picture heights, (2, GRID, GRID), on the device of `like`."""
    centres = (torch.arange(GRID, device=like.device) + 0.5) / GRID
    return torch.stack(torch.meshgrid(centres, centres, indexing="xy"))


@torch.no_grad()
def encode_clip(encoder: SceneEncoder, pictures: Tensor) -> states.States:
    """Encode the pictures of one clip, (F, 3, IMAGE_SIZE, IMAGE_SIZE), tracking its objects."""
    outputs = [encoder(batch) for batch in torch.split(pictures, BATCH_SIZE)]
    cells = torch.cat([output.cells for output in outputs])
    scene = torch.cat([output.scene for output in outputs]).median(dim=0).values
    camera = torch.cat([output.camera for output in outputs]).cpu().numpy()
    tracks = _track([_detect(frame) for frame in cells])
    content = np.zeros((states.CONTENT_TOKENS, states.CONTENT_DIM), dtype=np.float32)
    ground = np.eye(states.SCENE_DIM - 1, dtype=np.float32)[int(scene[:-1].argmax())]
    content[0, : states.SCENE_DIM] = [*ground, 1 if scene[-1] > 0 else -1]
    slots = np.zeros((len(cells), states.SLOTS, states.SLOT_MOTION_DIM), dtype=np.float32)
    for slot, track in enumerate(tracks):
        content[1 + slot], slots[:, slot] = track.encode(camera)
    motion = np.concatenate([slots.reshape(len(slots), -1), camera], axis=1)
    return states.States(content, motion.astype(np.float32))


@dataclass(frozen=True)
class _Detection:
    """An object in one picture."""

    position: np.ndarray  # (2,), in the picture
    attributes: np.ndarray  # (SLOT_DIM - 1,)
    angle: np.ndarray  # (2,): cosine and sine of four times the angle


def _detect(cells: Tensor) -> list[_Detection]:
    """Detect the objects of one picture: local maxima of the heatmap."""
    heatmap = torch.sigmoid(cells[HEATMAP])
    local_max = functional.max_pool2d(heatmap[None], 3, stride=1, padding=1)[0]
    peaks = torch.where(heatmap == local_max, heatmap, torch.zeros_like(heatmap)).flatten()
    best = peaks.topk(states.SLOTS)
    detections = []
    for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        if score < SCORE_THRESHOLD:
            break
        cell = cells.flatten(1)[:, index]
        position = cell_centres(cells).flatten(1)[:, index] + cell[OFFSET] / GRID
        detections.append(
            _Detection(
                position.cpu().numpy(), cell[ATTRIBUTES].cpu().numpy(), cell[ANGLE].cpu().numpy()
            )
        )
    return detections


class _Track:
    """Detections of one object over F frames, None where it was not detected."""

    def __init__(self, frames: int) -> None:
        self.detections: list[_Detection | None] = [None] * frames
        self.last: _Detection | None = None

    def add(self, frame: int, detection: _Detection) -> None:
        self.detections[frame] = self.last = detection

    @property
    def detected(self) -> list[_Detection]:
        return [detection for detection in self.detections if detection is not None]

    def encode(self, camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The slot's content (SLOT_DIM,) and its motion (F, SLOT_MOTION_DIM).

        Attributes are medians over the detections, positions and angles are interpolated.
        """
        detected = self.detected
        frames = [i for i, detection in enumerate(self.detections) if detection is not None]
        every_frame = np.arange(len(self.detections))
        attributes = np.median([detection.attributes for detection in detected], axis=0)
        content = np.concatenate([[1.0], attributes])
        positions = np.stack([detection.position for detection in detected])
        cosines, sines = np.stack([detection.angle for detection in detected]).T
        angles = np.unwrap(np.arctan2(sines, cosines)) / 4
        position = np.stack([np.interp(every_frame, frames, axis) for axis in positions.T], axis=1)
        angle = np.interp(every_frame, frames, angles)
        if content[states.SHAPE] < 0:
            angle = np.zeros_like(angle)  # a ball's angle does not show
        motion = np.concatenate(
            [
                states.positions_from_image(position, camera),
                np.cos(angle)[:, None],
                np.sin(angle)[:, None],
            ],
            axis=1,
        )
        return states.discretize_slot(content.astype(np.float32)), motion.astype(np.float32)


def _track(frames: list[list[_Detection]]) -> list[_Track]:
    """Join detections to tracks; returns those seen in enough frames, in the scene's order."""
    tracks: list[_Track] = []
    for frame, detections in enumerate(frames):
        cost = np.array(
            [[_match_cost(track.last, detection) for detection in detections] for track in tracks]
        )
        matches = assign(cost, max_cost=MAX_MATCH_COST)
        for track, detection in matches.items():
            tracks[track].add(frame, detections[detection])
        for i, new in enumerate(detections):
            if i not in matches.values():
                tracks.append(_Track(len(frames)))
                tracks[-1].add(frame, new)
    tracks = sorted(tracks, key=lambda track: -len(track.detected))[: states.SLOTS]
    tracks = [track for track in tracks if len(track.detected) >= max(1, len(frames) // 8)]
    return sorted(tracks, key=_scene_order)


def _match_cost(last: _Detection | None, detection: _Detection) -> float:
    """Distance in the picture, plus the difference in colour, shape and material."""
    if last is None:
        return MAX_MATCH_COST
    looks = slice(states.SIZE - 1)
    difference = float(np.abs(last.attributes[looks] - detection.attributes[looks]).mean())
    distance = float(np.hypot(*(last.position - detection.position)))
    return distance + APPEARANCE_WEIGHT * difference


def _scene_order(track: _Track) -> tuple[int, float, float]:
    """The order of objects in a scene: by colour, shape, then first position."""
    detected = track.detected
    attributes = np.median([detection.attributes for detection in detected], axis=0)
    colour = int(attributes[: len(states.COLOUR_NAMES)].argmax())
    return colour, float(attributes[states.SHAPE - 1] > 0), float(detected[0].position[0])
