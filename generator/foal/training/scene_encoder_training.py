"""Training of the reader: pictures of the world, and what the renderer knows of them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from generator.foal.model import states
from generator.foal.model.scene_encoder import (
    CELLS,
    CODE,
    HEAT,
    OFFSET,
    OUTPUTS,
    PIXELS,
    TURN,
    Reader,
)
from generator.foal.world import render
from generator.foal.world.clip import FRAMES, move
from generator.foal.world.physics import Motions
from generator.foal.world.scenes import Material, Scene, Shape, draw_scene

HIDDEN = 0.7  # sizes of a nearer thing: a centre so near to its centre cannot be seen
PIXEL_NOISE = 0.02  # decoded films are not exact
HEAT_WEIGHT, CODE_WEIGHT, TURN_WEIGHT, WHOLE_WEIGHT = 30.0, 2.0, 0.3, 0.5
CENTRES = 12.0  # how much more a cell with a centre weighs than one without


@dataclass(frozen=True)
class ReaderBatch:
    """N pictures and what each of their cells should say."""

    pictures: Tensor  # (N, 3, PIXELS, PIXELS)
    cells: Tensor  # (N, OUTPUTS, CELLS, CELLS), heat 0 or 1
    heat_counts: Tensor  # (N, CELLS, CELLS): weights of the heat, 0 where nothing is asked
    code_counts: Tensor  # (N, CELLS, CELLS): 1 around centres
    turn_counts: Tensor  # (N, CELLS, CELLS): 1 around centres of things whose turn can be seen
    scene: Tensor  # (N, SCENE_CODE)
    view: Tensor  # (N, 2)


def draw_pictures(rng: np.random.Generator, count: int) -> ReaderBatch:
    """One picture each of `count` fresh clips of training combinations."""
    pictures = np.empty((count, PIXELS, PIXELS, 3), dtype=np.float32)
    cells = np.zeros((count, OUTPUTS, CELLS, CELLS), dtype=np.float32)
    counts = np.zeros((3, count, CELLS, CELLS), dtype=np.float32)
    counts[0] = 1
    scenes = np.empty((count, states.SCENE_CODE), dtype=np.float32)
    views = np.empty((count, 2), dtype=np.float32)
    for i in range(count):
        scene = draw_scene(rng)
        motions = move(scene, rng)
        frame = int(rng.integers(FRAMES))
        pictures[i] = render.render(
            scene, motions, height=PIXELS, width=PIXELS, frames=np.array([frame])
        )[0]
        content = states.encode_content(scene, motions)
        scenes[i] = content[0, : states.SCENE_CODE]
        views[i] = states.encode_motion(motions)[frame, -2:]
        _mark(cells[i], counts[:, i], scene, motions, frame, content)
    noisy = pictures + PIXEL_NOISE * rng.standard_normal(pictures.shape, dtype=np.float32)
    return ReaderBatch(
        torch.from_numpy(noisy).permute(0, 3, 1, 2),
        torch.from_numpy(cells),
        torch.from_numpy(counts[0]),
        torch.from_numpy(counts[1]),
        torch.from_numpy(counts[2]),
        scene=torch.from_numpy(scenes),
        view=torch.from_numpy(views),
    )


def _mark(
    cells: np.ndarray,
    counts: np.ndarray,
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
        column, row = (int(np.floor(part * CELLS)) for part in place)
        if not (0 <= column < CELLS and 0 <= row < CELLS):
            continue
        rows = slice(max(0, row - 1), row + 2)
        columns = slice(max(0, column - 1), column + 2)
        near = motions.ground > motions.ground[thing]
        away = np.hypot(*(position - position[thing]).T)
        hidden = bool((near & (away < HIDDEN * motions.size)).any())
        counts[0, rows, columns] = 0  # a neighbour of a centre may say what it likes
        if hidden:
            counts[1:, rows, columns] = 0
            continue
        counts[0, row, column] = CENTRES
        cells[HEAT, row, column] = 1
        y, x = np.mgrid[rows, columns]
        cells[OFFSET, rows, columns] = np.stack(
            [place[0] * CELLS - x - 0.5, place[1] * CELLS - y - 0.5]
        )
        cells[CODE, rows, columns] = content[1 + thing, 1:, None, None]
        turn = 4 * motions.angle[frame, thing]
        cells[TURN, rows, columns] = np.array([np.cos(turn), np.sin(turn)])[:, None, None]
        counts[1, rows, columns] = 1
        looks = scene.things[thing]
        turns = looks.shape == Shape.CUBE or looks.material == Material.WOOD
        counts[2, rows, columns] = float(turns)


def reader_loss(reader: Reader, batch: ReaderBatch) -> tuple[Tensor, dict[str, float]]:
    """How far the network's reading is from what the renderer knows."""
    read = reader(batch.pictures)
    heat = functional.binary_cross_entropy_with_logits(
        read.cells[:, HEAT], batch.cells[:, HEAT], weight=batch.heat_counts
    )
    off = (read.cells - batch.cells).abs()
    centres = batch.code_counts.sum().clamp(min=1)
    place = (off[:, OFFSET].mean(dim=1) * batch.code_counts).sum() / centres
    code = (off[:, CODE].mean(dim=1) * batch.code_counts).sum() / centres
    turned = batch.turn_counts
    turn = (off[:, TURN].mean(dim=1) * turned).sum() / turned.sum().clamp(min=1)
    whole = (read.scene - batch.scene).abs().mean() + 2 * (read.view - batch.view).abs().mean()
    figures = {
        "heat": float(heat.detach()),
        "place": float(place.detach()),
        "code": float(code.detach()),
        "turn": float(turn.detach()),
        "whole": float(whole.detach()),
    }
    loss = HEAT_WEIGHT * heat + place + CODE_WEIGHT * code + TURN_WEIGHT * turn
    return loss + WHOLE_WEIGHT * whole, figures
