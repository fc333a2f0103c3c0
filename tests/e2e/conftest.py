"""A browser for the end-to-end tests."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from needs import find_browser

WAIT_MS = 30_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture
def page() -> Iterator[Page]:
    path = find_browser()
    if path is None:
        pytest.fail("The browser tests need Chromium: install it or set ARENA_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        opened = browser.new_page(viewport={"width": 1280, "height": 800})
        opened.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        yield opened
        browser.close()
