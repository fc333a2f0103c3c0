"""Bytes, requests and time of a first visit to the vote page, over a limited connection.

    python tests/benchmarks/bench_page_weight.py [ADDRESS] [--mbit 3] [--latency-ms 40]

Without an address it makes and serves an arena whose clips have the size of the demo's. The time
is that until both clips show a frame, in a new browser profile with an empty cache.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

from needs import find_browser
from playable import make_playable_arena, served

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
DEMO_CLIP_BYTES = 425_984
BOTH_SHOWN = """() => [...document.querySelectorAll('video')].filter(
    (video) => video.readyState >= 2 && video.getBoundingClientRect().width > 0).length >= 2"""


def kind(url: str) -> str:
    path = urlsplit(url).path
    name = path.rpartition("/")[2]
    if "/clip/" in path:
        return "clips"
    if "." in name:
        return name.rpartition(".")[2]
    return "other"


def measure(address: str, *, mbit: float, latency_ms: float) -> dict[str, Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        network = page.context.new_cdp_session(page)
        urls: dict[str, str] = {}
        sizes: Counter[str] = Counter()
        requests: Counter[str] = Counter()
        largest: list[tuple[int, str]] = []

        def finished(event: dict[str, Any]) -> None:
            url = urls.get(event["requestId"], "")
            if url.startswith("http"):
                sizes[kind(url)] += int(event["encodedDataLength"])
                requests[kind(url)] += 1
                largest.append((int(event["encodedDataLength"]), urlsplit(url).path[-60:]))

        def sent(event: dict[str, Any]) -> None:
            urls[event["requestId"]] = event["request"]["url"]

        network.on("Network.requestWillBeSent", sent)
        network.on("Network.loadingFinished", finished)
        network.send("Network.enable")
        bytes_per_s = mbit * 1e6 / 8
        network.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": latency_ms,
                "downloadThroughput": bytes_per_s,
                "uploadThroughput": bytes_per_s,
            },
        )
        page.goto(address)
        page.wait_for_function(BOTH_SHOWN, timeout=120_000, polling=20)
        shown_s = page.evaluate("performance.now()") / 1000
        browser.close()
    return {
        "first_battle_s": round(shown_s, 2),
        "bytes": sum(sizes.values()),
        "bytes_without_clips": sum(sizes.values()) - sizes["clips"],
        "requests": sum(requests.values()),
        "bytes_by_kind": dict(sizes.most_common()),
        "requests_by_kind": dict(requests.most_common()),
        "largest": sorted(largest, reverse=True)[:14],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address", nargs="?")
    parser.add_argument("--mbit", type=float, default=3.0)
    parser.add_argument("--latency-ms", type=float, default=40.0)
    options = parser.parse_args()
    with ExitStack() as stack:
        address = options.address
        if address is None:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "home"
            home.mkdir()
            make_playable_arena(home, bytes=DEMO_CLIP_BYTES).database.dispose()
            address = stack.enter_context(served(home))
        result = measure(address, mbit=options.mbit, latency_ms=options.latency_ms)
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
