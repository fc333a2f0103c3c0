"""Training of the reader: pictures of the world, and what the renderer knows of them."""

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

HIDDEN = 0.7  # sizes of a nearer thing: a centre so near to its centre cannot be seen
PIXEL_NOISE = 0.02  # decoded films are not exact
HEATMAP_WEIGHT, ATTRIBUTE_WEIGHT, ANGLE_WEIGHT, WHOLE_WEIGHT = 30.0, 2.0, 0.3, 0.5
CENTRES = 12.0  # how much more a cell with a centre weighs than one without


@dataclass(frozen=True)
class SceneEncoderBatch:
    """N pictures and what each of their cells should say."""

    pictures: Tensor  # (N, 3, PIXELS, PIXELS)
    cells: Tensor  # (N, OUTPUTS, CELLS, CELLS), heat 0 or 1
    heat_weights: Tensor  # (N, CELLS, CELLS): weights of the heat, 0 where nothing is asked
    code_weights: Tensor  # (N, CELLS, CELLS): 1 around centres
    turn_weights: Tensor  # (N, CELLS, CELLS): 1 around centres of things whose turn can be seen
    scene: Tensor  # (N, SCENE_CODE)
    view: Tensor  # (N, 2)


def sample_images(rng: np.random.Generator, count: int) -> SceneEncoderBatch:
    """One picture each of `count` fresh clips of training combinations."""
    pictures = np.empty((count, PIXELS, PIXELS, 3), dtype=np.float32)
    cells = np.zeros((count, OUTPUTS, CELLS, CELLS), dtype=np.float32)
    weights = np.zeros((3, count, CELLS, CELLS), dtype=np.float32)
    weights[0] = 1
    scenes = np.empty((count, states.SCENE_CODE), dtype=np.float32)
    views = np.empty((count, 2), dtype=np.float32)
    for i in range(count):
        scene = sample_scene(rng)
        motions = sample_motions(scene, rng)
        frame = int(rng.integers(FRAMES))
        pictures[i] = render.render(
            scene, motions, height=IMAGE_SIZE, width=IMAGE_SIZE, frames=np.array([frame])
        )[0]
        content = states.encode_content(scene, motions)
        scenes[i] = content[0, : states.SCENE_DIM]
        views[i] = states.encode_motion(motions)[frame, -2:]
        _mark_targets(cells[i], weights[:, i], scene, motions, frame, content)
    noisy = pictures + PIXEL_NOISE * rng.standard_normal(pictures.shape, dtype=np.float32)
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
    """What the cells around each thing's centre should say, nearer things over farther ones."""
    view = motions.view[frame][None]
    position = motions.position[frame]
    for thing in np.argsort(motions.ground, kind="stable"):
        place = render.to_picture(position[thing][None], view)[0]
        column, row = (int(np.floor(part * GRID)) for part in place)
        if not (0 <= column < GRID and 0 <= row < GRID):
            continue
        rows = slice(max(0, row - 1), row + 2)
        columns = slice(max(0, column - 1), column + 2)
        near = motions.ground > motions.ground[thing]
        away = np.hypot(*(position - position[thing]).T)
        hidden = bool((near & (away < HIDDEN * motions.size)).any())
        weights[0, rows, columns] = 0  # a neighbour of a centre may say what it likes
        if hidden:
            weights[1:, rows, columns] = 0
            continue
        weights[0, row, column] = CENTRES
        cells[HEAT, row, column] = 1
        y, x = np.mgrid[rows, columns]
        cells[OFFSET, rows, columns] = np.stack(
            [place[0] * GRID - x - 0.5, place[1] * GRID - y - 0.5]
        )
        cells[ATTRIBUTES, rows, columns] = content[1 + thing, 1:, None, None]
        turn = 4 * motions.angle[frame, thing]
        cells[TURN, rows, columns] = np.array([np.cos(turn), np.sin(turn)])[:, None, None]
        weights[1, rows, columns] = 1
        thing_spec = scene.things[thing]
        turns = thing_spec.shape == Shape.CUBE or thing_spec.material == Material.WOOD
        weights[2, rows, columns] = float(turns)


def scene_encoder_loss(reader: Reader, batch: SceneEncoderBatch) -> tuple[Tensor, dict[str, float]]:
    """How far the network's reading is from what the renderer knows."""
    read = reader(batch.pictures)
    heat = functional.binary_cross_entropy_with_logits(
        read.cells[:, HEAT], batch.cells[:, HEAT], weight=batch.heat_weights
    )
    off = (read.cells - batch.cells).abs()
    centres = batch.code_weights.sum().clamp(min=1)
    place = (off[:, OFFSET].mean(dim=1) * batch.code_weights).sum() / centres
    code = (off[:, CODE].mean(dim=1) * batch.code_weights).sum() / centres
    turned = batch.turn_weights
    turn = (off[:, TURN].mean(dim=1) * turned).sum() / turned.sum().clamp(min=1)
    whole = (read.scene - batch.scene).abs().mean() + 2 * (read.view - batch.view).abs().mean()
    figures = {
        "heatmap": float(heatmap.detach()),
        "place": float(place.detach()),
        "code": float(code.detach()),
        "turn": float(turn.detach()),
        "whole": float(whole.detach()),
    }
    loss = HEATMAP_WEIGHT * heatmap + place + ATTRIBUTE_WEIGHT * code + ANGLE_WEIGHT * turn
    return loss + WHOLE_WEIGHT * whole, figures
