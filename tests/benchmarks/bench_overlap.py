"""Overlap of post-processing with the model, for clips of 1080p, 5 s, with sound.

The engine runs, with one worker, a pipeline that waits like one on a GPU and then returns a clip.
If post-processing is fully hidden, the time per clip equals the pipeline's.

Run: python tests/benchmarks/bench_overlap.py [CLIPS] [SECONDS_A_CLIP]
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from rich.console import Console
from small_clips import entrant_of
from tiny_foal import build_tiny_pipeline

from generator.clips import ClipRequest, FailedClip
from generator.engine import generate
from generator.foal.build import save_pipeline
from generator.spec import TrackSettings

SECONDS = 38.0  # published time of the full-size model on one GPU
WAITING = """
import time
import numpy as np
import torch
from generator.foal.pipeline import FoalPipeline
from generator.foal.pipeline_output import FoalPipelineOutput

class WaitingPipeline(FoalPipeline):
    def __call__(self, prompt, height=64, width=64, num_frames=24, frame_rate=24, generator=None,
                 num_inference_steps=1, output_type="np"):
        began = time.monotonic()
        rng = np.random.default_rng(generator.initial_seed())
        still = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        still = np.kron(still, np.ones((8, 8, 1), dtype=np.uint8))
        frames = np.stack([np.roll(still, 4 * number, axis=1) for number in range(num_frames)])
        sound = rng.uniform(-0.3, 0.3, (1, 2, round(48000 * num_frames / frame_rate)))
        time.sleep(max(0.0, {seconds} - (time.monotonic() - began)))
        audio = torch.from_numpy(sound.astype(np.float32))
        return FoalPipelineOutput(frames=frames[None], audio=audio, unknown_words=[()])
"""


def main() -> None:
    given = sys.argv[1:]
    clips = int(given[0]) if given else 4
    seconds = float(given[1]) if len(given) > 1 else SECONDS
    track = TrackSettings(
        name="full-hd-audio",
        modality="text-to-video",
        audio=True,
        width=1920,
        height=1080,
        fps=24,
        frames=120,
        video_kbps=12_000,
        bytes=9_000_000,
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "waiting_pipeline.py").write_text(
            WAITING.replace("{seconds}", f"{seconds}")
        )
        os.environ["PYTHONPATH"] = folder
        sys.path.insert(0, folder)
        save_pipeline(build_tiny_pipeline(), Path(folder) / "model")
        entrant = entrant_of(
            "diffusers",
            pipeline="waiting_pipeline:WaitingPipeline",
            model=str(Path(folder) / "model"),
        )
        requests = [
            ClipRequest(entrant, track, prompt_id=str(number), prompt="noise", seed=number)
            for number in range(clips + 1)
        ]
        ends = []
        for clip in generate(requests, workers=1):
            if isinstance(clip, FailedClip):
                raise SystemExit(clip.reason)
            ends.append(time.perf_counter())
    each = (ends[-1] - ends[0]) / clips
    out = Console()
    out.print(f"{clips} clips of 1920x1080, 5 s, by a model that needs {seconds:g} s for each:")
    out.print(f"{each:.2f} s per clip from one end to the next: {each / seconds - 1:+.1%}")


if __name__ == "__main__":
    main()
