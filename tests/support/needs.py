"""Gets what the browser tests need, or says in one line what is missing and how to get it."""

import os
import shutil
import subprocess
import sys

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """The path of a Chromium: ARENA_CHROMIUM, one on the PATH, or Playwright's own."""
    if given := os.environ.get("ARENA_CHROMIUM"):
        return given
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


def _run(*command: str) -> bool:
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def get_browser() -> bool:
    """Install one: Playwright's, or the system's package where this user may."""
    if _run(sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"):
        return find_browser() is not None
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium")
    return find_browser() is not None


if __name__ == "__main__":
    if find_browser() is None and not get_browser():
        sys.exit(
            "The browser tests need Chromium: install it (on Debian: apt install chromium) "
            "or set ARENA_CHROMIUM to its path."
        )
