"""Time from a vote to the next two clips' first frames, and drift between two clips, in Chromium.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_duel.py ARENA_HOME [VOTES]

The times are those of the frames that the page presents (requestVideoFrameCallback). The voter has
"Pause on names" off, watches each pair once and votes by key. The votes are stored as people's
votes, so use a copy of an arena.
"""

import sys
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from needs import find_browser
from playable import served

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
WAIT_MS = 30_000
WATCH = """(videos) => {
  window.frames_ = [];
  videos.forEach((video, number) => {
    const onFrame = (now, { mediaTime, expectedDisplayTime }) => {
      frames_.push([number, now, expectedDisplayTime, mediaTime]);
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
  });
}"""
VOTED = 'performance.getEntriesByName("hippodrome:vote").map((mark) => mark.startTime)'
FPS = 24
BUFFERS = ((0, 2), (1, 3))  # indices of the page's videos: both of side A, then both of side B


def vote(page: Page, votes: int) -> None:
    for _ in range(votes):
        page.locator("[data-phase=ready]").wait_for(timeout=WAIT_MS)
        with page.expect_response(lambda answer: answer.url.endswith("/vote")) as answered:
            page.keyboard.press("ArrowLeft")
        assert answered.value.ok, answered.value.text()
        page.locator("[data-phase=watching]").wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(1_000)


def delays(frames: np.ndarray, keys: list[float]) -> list[float]:
    """Milliseconds from each vote to the later of the next two clips' first frames."""
    delays_ms = []
    for key in keys:
        before, after = frames[frames[:, 1] <= key], frames[frames[:, 1] > key]
        following = next(buffer for buffer in BUFFERS if before[-1, 0] not in buffer)
        delays_ms.append(max(after[after[:, 0] == video][0, 1] for video in following) - key)
    return delays_ms


def drifts(frames: np.ndarray) -> np.ndarray:
    """Drift between two clips that play together, in frames, at each presented frame."""
    drift = []
    for a, b in BUFFERS:
        left, right = frames[frames[:, 0] == a], frames[frames[:, 0] == b]
        if not len(left) or not len(right):
            continue
        nearest = np.abs(left[:, 2][:, None] - right[:, 2][None, :]).argmin(axis=1)
        other = right[nearest]
        together = np.abs(left[:, 2] - other[:, 2]) < 1_000 / FPS
        wait_ms = left[:, 2] - other[:, 2]
        drift.append(np.abs(wait_ms - 1_000 * (left[:, 3] - other[:, 3]))[together] * FPS / 1_000)
    return np.concatenate(drift)


def main() -> None:
    home, votes = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with served(home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script("localStorage.setItem('hippodrome.showNames', 'false')")
        page.goto(address)
        page.locator("[data-phase=watching]").wait_for(timeout=WAIT_MS)
        page.locator(".side video").evaluate_all(WATCH)
        vote(page, votes)
        frames = np.array(page.evaluate("frames_"))
        keys = page.evaluate(VOTED)
        browser.close()
    table = Table("", "count", "p50", "p95", "p99")
    for name, values in (
        ("vote key to both next clips' first frames, ms", np.array(delays(frames, keys))),
        ("drift between the two clips, frames", drifts(frames)),
    ):
        quantiles = np.quantile(values, (0.5, 0.95, 0.99))
        table.add_row(name, str(len(values)), *(f"{value:.2f}" for value in quantiles))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
