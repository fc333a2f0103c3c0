"""Training of the autoencoder: random pixels of 256 px pictures, asked of the decoder.

The renderer also tells where each thing is, which thing is which slot's, and which one is in
front. This auxiliary loss binds slots to things; its weight falls as training goes on.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from generator.foal import render
from generator.foal.codec import ENCODER_PIXELS, SLOTS, FoalCodec
from generator.foal.fields import ANGLE_SCALE
from generator.foal.physics import Motions
from generator.foal.scenes import Scene, Shape
from generator.foal.world import Clip, make_clip

TARGET_PIXELS = 256
NEARBY = 0.16  # half the box around a thing from which points are drawn
FAR_AWAY = 5.0  # where a thing that is not there stands: no pixel sees it
CONTENT_NOISE = 0.06
ANGLE_NOISE = 0.04
ABSOLUTE = 0.1  # share of the absolute error beside the squared one


@dataclass(frozen=True)
class CodecBatch:
    """B clips of F frames, P points a frame, with what the renderer knows."""

    pictures: Tensor  # (B, F, 3, 64, 64)
    points: Tensor  # (B * F, P, 2)
    colours: Tensor  # (B * F, P, 3)
    places: Tensor  # (B, F, SLOTS, 2)
    angles: Tensor  # (B, F, SLOTS, 2)
    presence: Tensor  # (B, SLOTS)
    depth: Tensor  # (B,): 1, -1, or 0 where there is only one thing


def stack_looks(
    scenes: list[Scene], motions: list[Motions], frames: np.ndarray
) -> list[render.Look]:
    """Looks of B scenes at frames (B, F), laid end to end: SLOTS layers of B * F pictures."""
    layers: list[list[render.Look]] = [[] for _ in range(SLOTS)]
    for scene, motion, chosen in zip(scenes, motions, frames, strict=True):
        things = render.looks(scene, motion, chosen)
        while len(things) < SLOTS:
            one = things[0]
            nowhere = np.full_like(one.position, FAR_AWAY)
            things.append(render.Look(**{**one.__dict__, "position": nowhere}))
        for layer, thing in zip(layers, things, strict=True):
            layer.append(thing)
    return [
        render.Look(
            **{
                name: np.concatenate([getattr(look, name) for look in layer])
                for name in render.Look.__dataclass_fields__
            }
        )
        for layer in layers
    ]


def encoder_pictures(clips: list[Clip], frames: np.ndarray) -> Tensor:
    """What the encoder sees: frames (B, F) of B clips, shape (B, F, 3, 64, 64)."""
    size = ENCODER_PIXELS
    centres = render.pixel_centres(size, size).reshape(1, -1, 2)
    stills = [render.background(c.scene.ground, c.scene.time, size, size) for c in clips]
    canvas = np.repeat(np.stack(stills).reshape(len(clips), -1, 3), frames.shape[1], axis=0)
    things = stack_looks([c.scene for c in clips], [c.motions for c in clips], frames)
    painted = render.paint(canvas, centres, things, pixel=1 / size)
    pictures = torch.from_numpy(painted).reshape(*frames.shape, size, size, 3)
    return pictures.permute(0, 1, 4, 2, 3)


def draw_batch(rng: np.random.Generator, *, clips: int, frames: int, points: int) -> CodecBatch:
    """Fresh clips from training combinations, with pictures and points to learn from."""
    drawn = [make_clip(rng) for _ in range(clips)]
    total = len(drawn[0].motions.position)
    chosen = np.stack([rng.choice(total, frames, replace=False) for _ in drawn])
    where = _draw_points(rng, drawn, chosen, points)
    rows = np.clip((where[..., 1] * TARGET_PIXELS).astype(int), 0, TARGET_PIXELS - 1)
    columns = np.clip((where[..., 0] * TARGET_PIXELS).astype(int), 0, TARGET_PIXELS - 1)
    centres = (np.stack([columns, rows], axis=-1).astype(np.float32) + 0.5) / TARGET_PIXELS
    size = TARGET_PIXELS
    canvas = np.concatenate(
        [
            render.background(c.scene.ground, c.scene.time, size, size)[r, k]
            for c, r, k in zip(drawn, np.split(rows, clips), np.split(columns, clips), strict=True)
        ]
    )
    things = stack_looks([c.scene for c in drawn], [c.motions for c in drawn], chosen)
    colours = render.paint(canvas, centres, things, pixel=1 / size)
    return CodecBatch(
        pictures=encoder_pictures(drawn, chosen),
        points=torch.from_numpy(centres),
        colours=torch.from_numpy(colours),
        **_truth(drawn, chosen),
    )


def _draw_points(
    rng: np.random.Generator, clips: list[Clip], frames: np.ndarray, points: int
) -> np.ndarray:
    """Half of the points near things, a sixth on the ground, the rest anywhere: (B * F, P, 2)."""
    pictures = frames.size
    anywhere = rng.random((pictures, points, 2), dtype=np.float32)
    on_ground = points // 6
    anywhere[:, :on_ground, 1] = render.HORIZON + (1 - render.HORIZON) * anywhere[:, :on_ground, 1]
    near = points // 2
    at = []
    for clip, chosen in zip(clips, frames, strict=True):
        position = clip.motions.position[chosen]  # (F, n, 2)
        which = np.arange(near) % position.shape[1]
        at.append(position[:, which])
    around = np.concatenate(at) + rng.uniform(-NEARBY, NEARBY, (pictures, near, 2))
    anywhere[:, -near:] = np.clip(around, 0, 1 - 1e-6)
    return anywhere


def _truth(clips: list[Clip], frames: np.ndarray) -> dict[str, Tensor]:
    count, per_clip = frames.shape
    places = np.zeros((count, per_clip, SLOTS, 2), dtype=np.float32)
    angles = np.zeros_like(places)
    presence = np.zeros((count, SLOTS), dtype=np.float32)
    depth = np.zeros(count, dtype=np.float32)
    for i, clip in enumerate(clips):
        motions, things = clip.motions, clip.scene.things
        presence[i, : len(things)] = 1
        for slot, thing in enumerate(things):
            places[i, :, slot] = motions.position[frames[i], slot]
            if thing.shape == Shape.CUBE:
                turn = 4 * motions.angle[frames[i], slot]
                angles[i, :, slot] = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        if len(things) == SLOTS:
            depth[i] = 1 if motions.ground[0] > motions.ground[1] else -1
    truth = {"places": places, "angles": angles, "presence": presence, "depth": depth}
    return {name: torch.from_numpy(value) for name, value in truth.items()}


def codec_loss(
    codec: FoalCodec, batch: CodecBatch, *, help_weight: float, noise: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Loss of one batch, and the figures worth showing beside it."""
    codes = codec.encode(batch.pictures)
    frames = batch.pictures.shape[1]
    content = codes.content
    content = content + CONTENT_NOISE * torch.randn(content.shape, generator=noise)
    content = content.repeat_interleave(frames, dim=0)
    motion = codes.motion.flatten(0, 1)
    wobble = torch.unflatten(torch.zeros_like(motion), 1, (SLOTS, 4))
    wobble[..., 2:] = ANGLE_NOISE * ANGLE_SCALE
    motion = motion + wobble.flatten(1) * torch.randn(motion.shape, generator=noise)
    painted = codec.decode_points(batch.points, content, motion)
    error = painted - batch.colours
    paint = (error.square() + ABSOLUTE * error.abs()).mean()

    there = batch.presence[:, None, :, None]
    found = torch.unflatten(codes.motion, -1, (SLOTS, 4))
    off_place = ((found[..., :2] - batch.places).square() * there).mean()
    off_gaze = ((codes.gaze - batch.places).square() * there).mean()
    off_angle = ((found[..., 2:] / ANGLE_SCALE - batch.angles).square() * there).mean()
    presence = functional.binary_cross_entropy_with_logits(codes.presence, batch.presence)
    depth = ((codes.depth - batch.depth).square() * batch.depth.abs()).mean()
    guidance = 20 * off_place + 5 * off_gaze + 0.5 * off_angle + 0.1 * presence + 0.1 * depth
    figures = {
        "paint": float(paint.detach()),
        "place": float(off_place.detach().sqrt()),
        "angle": float(off_angle.detach().sqrt()),
        "presence": float(presence.detach()),
        "depth": float(depth.detach()),
    }
    return paint + help_weight * guidance, figures
