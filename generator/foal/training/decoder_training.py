"""Training of the decoder: colours at random points of frames, predicted from the true states."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from generator.foal.model import states
from generator.foal.model.neural_fields import PLANE_LEFT, PLANE_RIGHT, SceneDecoder
from generator.foal.world import render
from generator.foal.world.background import background_at
from generator.foal.world.clip import FRAMES, sample_motions
from generator.foal.world.physics import ROPE_TOP, Motions
from generator.foal.world.scenes import Ground, Scene, Time, sample_scene

PIXEL = 1 / 256
FAR_AWAY = 5.0  # position of an absent object, outside of every frame
# Fractions of the points near objects, their shadows and their ropes; the rest are uniform.
NEAR_OBJECTS, NEAR_SHADOWS, NEAR_ROPES = 0.5, 0.12, 0.08
CONTENT_NOISE, ANGLE_NOISE = 0.05, 0.03  # like the errors of the transformer's output
L1_WEIGHT = 0.1  # of the absolute error, added to the squared error


@dataclass(frozen=True)
class PointBatch:
    """N frames with P points each."""

    content: Tensor  # (N, CONTENT_TOKENS, CONTENT_DIM)
    motion: Tensor  # (N, MOTION_DIM)
    points: Tensor  # (N, P, 2), image coordinates
    colours: Tensor  # (N, P, 3)


def sample_points(rng: np.random.Generator, *, clips: int, frames: int, points: int) -> PointBatch:
    """Sample new training clips, `frames` frames of each, and random points in these."""
    clips_drawn = []
    for _ in range(clips):
        scene = sample_scene(rng)
        motions = sample_motions(scene, rng)
        clips_drawn.append((scene, motions, rng.choice(FRAMES, frames, replace=False)))
    positions = np.concatenate(
        [_sample_image_points(rng, *clip, points) for clip in clips_drawn]
    ).astype(np.float32)
    view = np.concatenate([motions.view[chosen] for _, motions, chosen in clips_drawn])
    world = render.to_world(positions, view)
    canvas = np.concatenate(
        [
            background_at(world[i * frames : (i + 1) * frames], scene.ground, scene.time)
            for i, (scene, _, _) in enumerate(clips_drawn)
        ]
    )
    pixel = (PIXEL / np.exp(view[:, 1]))[:, None]
    colours = render.paint(canvas, world, stack_appearances(clips_drawn), pixel=pixel)
    content = [states.encode_content(scene, motions) for scene, motions, _ in clips_drawn]
    motion = [states.encode_motion(motions)[chosen] for _, motions, chosen in clips_drawn]
    return PointBatch(
        content=torch.from_numpy(np.repeat(np.stack(content), frames, axis=0)),
        motion=torch.from_numpy(np.concatenate(motion)),
        points=torch.from_numpy(positions),
        colours=torch.from_numpy(colours.astype(np.float32)),
    )


def stack_appearances(
    clips_drawn: list[tuple[Scene, Motions, np.ndarray]],
) -> list[render.Appearance]:
    """Concatenate the appearances of clips at their frames: SLOTS layers, the farthest first."""
    layers: list[list[render.Appearance]] = [[] for _ in range(states.SLOTS)]
    for scene, motions, chosen in clips_drawn:
        objects = render.appearances(scene, motions, chosen)
        nowhere = np.full_like(objects[0].position, FAR_AWAY)
        nothing = render.Appearance(
            **{**vars(objects[0]), "position": nowhere, "rope": np.full(len(chosen), np.nan)}
        )
        objects += [nothing] * (states.SLOTS - len(objects))
        for layer, obj in zip(layers, objects, strict=True):
            layer.append(obj)
    names = [item.name for item in fields(render.Appearance)]
    return [
        render.Appearance(
            **{name: np.concatenate([getattr(obj, name) for obj in layer]) for name in names}
        )
        for layer in layers
    ]


def _sample_image_points(
    rng: np.random.Generator, scene: Scene, motions: Motions, frames: np.ndarray, points: int
) -> np.ndarray:
    """Sample points in the frames of a clip, (F, P, 2), image coordinates."""
    count = len(frames)
    positions = rng.random((count, points, 2))
    first = 0
    for share, sample_near in (
        (NEAR_OBJECTS, _near_objects),
        (NEAR_SHADOWS, _near_shadows),
        (NEAR_ROPES if np.isfinite(motions.rope).any() else 0.0, _near_ropes),
    ):
        count_near = round(share * points)
        indices = rng.integers(len(scene.objects), size=count_near)
        world = sample_near(rng, motions, frames, indices)
        positions[:, first : first + count_near] = render.to_image(world, motions.view[frames])
        first += count_near
    return np.clip(positions, 0, 1 - 1e-6)


def _near_objects(
    rng: np.random.Generator, motions: Motions, frames: np.ndarray, indices: np.ndarray
) -> np.ndarray:
    shape = (len(frames), len(indices))
    angle, distance = rng.uniform(0, 2 * np.pi, shape), rng.uniform(0, 1.6, shape)
    around = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * distance[..., None]
    return np.asarray(
        motions.position[frames][:, indices] + around * motions.size[indices][:, None]
    )


def _near_shadows(
    rng: np.random.Generator, motions: Motions, frames: np.ndarray, indices: np.ndarray
) -> np.ndarray:
    around = rng.normal(size=(len(frames), len(indices), 2)) * motions.size[indices][:, None]
    x = motions.position[frames][:, indices, 0] + 1.3 * around[..., 0]
    y = motions.ground[indices] + 1.3 * render.SHADOW_FLATNESS * around[..., 1]
    return np.stack([x, y], axis=-1)


def _near_ropes(
    rng: np.random.Generator, motions: Motions, frames: np.ndarray, indices: np.ndarray
) -> np.ndarray:
    share = rng.random((len(frames), len(indices), 1))
    anchor = np.stack([motions.rope[indices], np.full(len(indices), ROPE_TOP)], axis=-1)
    along = anchor + share * (motions.position[frames][:, indices] - anchor)
    return np.asarray(along + 0.006 * rng.normal(size=along.shape))


def sample_backgrounds(rng: np.random.Generator, *, points: int) -> PointBatch:
    """Sample points of every background, including those beside the central square."""
    kinds = [(ground, time) for ground in Ground for time in Time]
    positions = rng.random((len(kinds), points, 2)).astype(np.float32)
    positions[..., 0] = PLANE_LEFT + 0.01 + positions[..., 0] * (PLANE_RIGHT - PLANE_LEFT - 0.02)
    content = np.zeros((len(kinds), states.CONTENT_TOKENS, states.CONTENT_DIM), dtype=np.float32)
    for row, (ground, time) in enumerate(kinds):
        content[row, 0, : states.SCENE_DIM] = states.encode_scene(ground, time)
    colours = [background_at(positions[i], *kind) for i, kind in enumerate(kinds)]
    return PointBatch(
        content=torch.from_numpy(content),
        motion=torch.zeros(len(kinds), states.MOTION_DIM),
        points=torch.from_numpy(positions),
        colours=torch.from_numpy(np.stack(colours)),
    )


def decoder_loss(
    decoder: SceneDecoder, batch: PointBatch, empty: PointBatch, generator: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Error of the colours at the points of frames and of backgrounds."""
    content = batch.content + CONTENT_NOISE * torch.randn(batch.content.shape, generator=generator)
    angle_noise = torch.zeros_like(batch.motion)
    for slot in range(states.SLOTS):
        first = states.SLOT_MOTION_DIM * slot
        angle_noise[:, first + 2 : first + 4] = ANGLE_NOISE
    motion = batch.motion + angle_noise * torch.randn(batch.motion.shape, generator=generator)
    content[:, 1:, states.PRESENCE] = batch.content[:, 1:, states.PRESENCE]
    exact = [states.SIZE, states.GROUND_Y, states.ROPE, states.ROPE_X]
    content[:, 1:, exact] = batch.content[:, 1:, exact]
    painted = decoder(batch.points, content, motion, PIXEL)
    scene = empty.content[:, 0, : states.SCENE_DIM]
    scene = scene + CONTENT_NOISE * torch.randn(scene.shape, generator=generator)
    still = decoder.background(empty.points, scene)
    paint, ground = _error(painted - batch.colours), _error(still - empty.colours)
    return paint + ground, {"paint": float(paint.detach()), "empty": float(ground.detach())}


def _error(difference: Tensor) -> Tensor:
    return (difference.square() + L1_WEIGHT * difference.abs()).mean()
