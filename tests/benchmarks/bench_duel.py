"""The duel in Chromium: vote key to the next two clips' first frames, and the drift between two.

Run: PYTHONPATH=tests/support python tests/benchmarks/bench_duel.py ARENA_HOME [VOTES]

The page presents every frame's media time itself (requestVideoFrameCallback). The voter does not
wait for names ("linger" off), watches each pair once and votes by key. The votes are people's
votes: use a copy of an arena, not the arena itself.
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
DECKS = ((0, 2), (1, 3))  # the videos of the page: A of either deck, then B of either


def vote(page: Page, votes: int) -> None:
    for _ in range(votes):
        page.locator("[data-phase=ready]").wait_for(timeout=WAIT_MS)
        with page.expect_response(lambda answer: answer.url.endswith("/vote")) as answered:
            page.keyboard.press("ArrowLeft")
        assert answered.value.ok, answered.value.text()
        page.locator("[data-phase=watching]").wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(1_000)


def delays(frames: np.ndarray, keys: list[float]) -> list[float]:
    """Milliseconds from each vote to the later one of the next deck's two first frames."""
    found = []
    for key in keys:
        before, after = frames[frames[:, 1] <= key], frames[frames[:, 1] > key]
        following = next(deck for deck in DECKS if before[-1, 0] not in deck)
        found.append(max(after[after[:, 0] == video][0, 1] for video in following) - key)
    return found


def drifts(frames: np.ndarray) -> np.ndarray:
    """Frames by which two clips that play together are apart, at each presented frame."""
    apart = []
    for a, b in DECKS:
        left, right = frames[frames[:, 0] == a], frames[frames[:, 0] == b]
        if not len(left) or not len(right):
            continue
        nearest = np.abs(left[:, 2][:, None] - right[:, 2][None, :]).argmin(axis=1)
        other = right[nearest]
        together = np.abs(left[:, 2] - other[:, 2]) < 1_000 / FPS
        wait_ms = left[:, 2] - other[:, 2]
        apart.append(np.abs(wait_ms - 1_000 * (left[:, 3] - other[:, 3]))[together] * FPS / 1_000)
    return np.concatenate(apart)


def main() -> None:
    home, votes = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with served(home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script("localStorage.setItem('hippodrome.linger', 'false')")
        page.goto(address)
        page.locator("[data-phase=watching]").wait_for(timeout=WAIT_MS)
        page.locator("video").evaluate_all(WATCH)
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
