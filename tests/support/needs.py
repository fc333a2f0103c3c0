"""Install what the browser, JavaScript and PostgreSQL tests need, or say what is missing."""

import os
import shutil
import subprocess
import sys

from postgres_server import MISSING, find_binaries

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OLDEST_NODE = 20


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


def find_node() -> str | None:
    """The path of a Node.js that is new enough for `node --test`."""
    path = shutil.which("node")
    if path is None:
        return None
    version = subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=False
    ).stdout
    major = version.strip().removeprefix("v").partition(".")[0]
    return path if major.isdigit() and int(major) >= OLDEST_NODE else None


def _run(*command: str) -> bool:
    return subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0


def install_package(name: str) -> None:
    """Install a package of the system if this user may."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", name)


def install_browser() -> bool:
    """Install a browser: Playwright's, or else the system's package."""
    if not _run(sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"):
        install_package("chromium")
    return find_browser() is not None


def install_node() -> bool:
    """Install the system's Node.js, which may be too old."""
    install_package("nodejs")
    return find_node() is not None


def install_postgres() -> bool:
    """Install the system's PostgreSQL."""
    install_package("postgresql")
    return find_binaries() is not None


if __name__ == "__main__":
    if find_binaries() is None and not install_postgres():
        sys.stderr.write(f"{MISSING}\n")
    if find_node() is None and not install_node():
        sys.stderr.write(
            "The tests of the pages' JavaScript are skipped: "
            "they need Node.js 20 or newer on the PATH.\n"
        )
    if find_browser() is None and not install_browser():
        sys.exit(
            "The browser tests need Chromium: install it (on Debian: apt install chromium) "
            "or set ARENA_CHROMIUM to its path."
        )
