"""Draw a contact sheet of every built-in entrant for the same held-out captions, with sound.

Run: python tests/benchmarks/draw_entrants.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import generator.foal
from generator.foal import FoalPipeline
from generator.foal.training.contact_sheets import model_rows
from generator.spec import read_entrant

QUALITY = 85


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((Path(generator.foal.__file__).parent / "entrants").glob("*.toml")):
        backend = read_entrant(path).backend
        pipeline = FoalPipeline.from_pretrained(backend.options["model"], local_files_only=True)
        pipeline.set_progress_bar_config(disable=True)
        rows = model_rows(pipeline, backend.call["num_inference_steps"])
        Image.fromarray(np.concatenate(rows)).save(folder / f"{path.stem}.jpg", quality=QUALITY)


if __name__ == "__main__":
    main()
