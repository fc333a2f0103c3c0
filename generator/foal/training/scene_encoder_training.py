"""Training of the scene encoder: rendered frames and their true states."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from generator.foal.model import states
from generator.foal.model.scene_encoder import (
    ANGLE,
    ATTRIBUTES,
    GRID,
    HEATMAP,
    IMAGE_SIZE,
    OFFSET,
    OUTPUT_CHANNELS,
    SceneEncoder,
)
from generator.foal.world import render
from generator.foal.world.clip import FRAMES, sample_motions
from generator.foal.world.physics import Motions
from generator.foal.world.scenes import Material, Scene, Shape, sample_scene

OCCLUSION_RADIUS = 0.7  # in sizes of a nearer object: closer centres are occluded
PIXEL_NOISE = 0.02  # decoded frames are not exact
HEATMAP_WEIGHT, ATTRIBUTE_WEIGHT, ANGLE_WEIGHT, GLOBAL_WEIGHT = 30.0, 2.0, 0.3, 0.5
CENTRE_WEIGHT = 12.0  # weight of a cell with a centre relative to one without


@dataclass(frozen=True)
class SceneEncoderBatch:
    """N images and the targets of each of their cells."""

    images: Tensor  # (N, 3, IMAGE_SIZE, IMAGE_SIZE)
    cells: Tensor  # (N, OUTPUT_CHANNELS, GRID, GRID), heatmap 0 or 1
    heatmap_weights: Tensor  # (N, GRID, GRID): 0 where the heatmap is not trained
    attribute_weights: Tensor  # (N, GRID, GRID): 1 around centres
    angle_weights: Tensor  # (N, GRID, GRID): 1 around centres of objects whose rotation is visible
    scene: Tensor  # (N, SCENE_DIM)
    camera: Tensor  # (N, 2)


def sample_images(rng: np.random.Generator, count: int) -> SceneEncoderBatch:
    """Sample one frame from each of `count` new training clips."""
    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.float32)
    cells = np.zeros((count, OUTPUT_CHANNELS, GRID, GRID), dtype=np.float32)
    weights = np.zeros((3, count, GRID, GRID), dtype=np.float32)
    weights[0] = 1
    scenes = np.empty((count, states.SCENE_DIM), dtype=np.float32)
    views = np.empty((count, 2), dtype=np.float32)
    for i in range(count):
        scene = sample_scene(rng)
        motions = sample_motions(scene, rng)
        frame = int(rng.integers(FRAMES))
        images[i] = render.render(
            scene, motions, height=IMAGE_SIZE, width=IMAGE_SIZE, frames=np.array([frame])
        )[0]
        content = states.encode_content(scene, motions)
        scenes[i] = content[0, : states.SCENE_DIM]
        views[i] = states.encode_motion(motions)[frame, -2:]
        _mark_targets(cells[i], weights[:, i], scene, motions, frame, content)
    noisy = images + PIXEL_NOISE * rng.standard_normal(images.shape, dtype=np.float32)
    return SceneEncoderBatch(
        torch.from_numpy(noisy).permute(0, 3, 1, 2),
        torch.from_numpy(cells),
        torch.from_numpy(weights[0]),
        torch.from_numpy(weights[1]),
        torch.from_numpy(weights[2]),
        scene=torch.from_numpy(scenes),
        camera=torch.from_numpy(views),
    )


def _mark_targets(
    cells: np.ndarray,
    weights: np.ndarray,
    scene: Scene,
    motions: Motions,
    frame: int,
    content: np.ndarray,
) -> None:
    """Set the targets of the cells around each object's centre; nearer objects overwrite others."""
    view = motions.view[frame][None]
    position = motions.position[frame]
    for obj in np.argsort(motions.ground, kind="stable"):
        centre = render.to_image(position[obj][None], view)[0]
        column, row = (int(np.floor(part * GRID)) for part in centre)
        if not (0 <= column < GRID and 0 <= row < GRID):
            continue
        rows = slice(max(0, row - 1), row + 2)
        columns = slice(max(0, column - 1), column + 2)
        near = motions.ground > motions.ground[obj]
        distance = np.hypot(*(position - position[obj]).T)
        occluded = bool((near & (distance < OCCLUSION_RADIUS * motions.size)).any())
        weights[0, rows, columns] = 0  # neighbours of a centre are not trained
        if occluded:
            weights[1:, rows, columns] = 0
            continue
        weights[0, row, column] = CENTRE_WEIGHT
        cells[HEATMAP, row, column] = 1
        y, x = np.mgrid[rows, columns]
        cells[OFFSET, rows, columns] = np.stack(
            [centre[0] * GRID - x - 0.5, centre[1] * GRID - y - 0.5]
        )
        cells[ATTRIBUTES, rows, columns] = content[1 + obj, 1:, None, None]
        angle = 4 * motions.angle[frame, obj]
        cells[ANGLE, rows, columns] = np.array([np.cos(angle), np.sin(angle)])[:, None, None]
        weights[1, rows, columns] = 1
        spec = scene.objects[obj]
        rotation_visible = spec.shape == Shape.CUBE or spec.material == Material.WOOD
        weights[2, rows, columns] = float(rotation_visible)


def scene_encoder_loss(
    encoder: SceneEncoder, batch: SceneEncoderBatch
) -> tuple[Tensor, dict[str, float]]:
    """Loss of the predictions against the true states."""
    prediction = encoder(batch.images)
    heatmap = functional.binary_cross_entropy_with_logits(
        prediction.cells[:, HEATMAP], batch.cells[:, HEATMAP], weight=batch.heatmap_weights
    )
    error = (prediction.cells - batch.cells).abs()
    centres = batch.attribute_weights.sum().clamp(min=1)
    centre = (error[:, OFFSET].mean(dim=1) * batch.attribute_weights).sum() / centres
    attributes = (error[:, ATTRIBUTES].mean(dim=1) * batch.attribute_weights).sum() / centres
    visible = batch.angle_weights
    angle = (error[:, ANGLE].mean(dim=1) * visible).sum() / visible.sum().clamp(min=1)
    global_loss = (prediction.scene - batch.scene).abs().mean() + 2 * (
        prediction.camera - batch.camera
    ).abs().mean()
    figures = {
        "heatmap": float(heatmap.detach()),
        "offset": float(centre.detach()),
        "attributes": float(attributes.detach()),
        "angle": float(angle.detach()),
        "global": float(global_loss.detach()),
    }
    loss = HEATMAP_WEIGHT * heatmap + centre + ATTRIBUTE_WEIGHT * attributes + ANGLE_WEIGHT * angle
    return loss + GLOBAL_WEIGHT * global_loss, figures
