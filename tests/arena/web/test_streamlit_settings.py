"""Streamlit's settings come from the arena alone, whatever files Streamlit would read."""

import os
import subprocess
import sys
from pathlib import Path

HOSTILE = """
[server]
enableCORS = false
enableXsrfProtection = false
corsAllowedOrigins = ["https://evil.example"]
enableStaticServing = true
enableAgentApi = true
trustedUserHeaders = { X-User = "email" }
[global]
developmentMode = true
[theme]
base = "https://evil.example/theme.toml"
[client]
showErrorDetails = "full"
"""
PROGRAM = """
import json, logging
from arena.public_url import parse_public_url
from arena.web.frontend.streamlit_files import ignored_files
from arena.web.frontend.streamlit_settings import apply_streamlit_settings
apply_streamlit_settings(cookie_secret="s" * 32, public=parse_public_url("https://lab.example/x"))
from streamlit import config
names = ("server.enableCORS", "server.enableXsrfProtection", "server.corsAllowedOrigins",
         "server.enableStaticServing", "server.enableAgentApi", "server.trustedUserHeaders",
         "global.developmentMode", "theme.base", "client.showErrorDetails", "secrets.files")
print(json.dumps([[config.get_option(name) for name in names], list(map(str, ignored_files()))]))
"""


def read(folder: Path, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env=os.environ | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]


def test_files_of_streamlit_change_no_setting_and_are_reported(tmp_path: Path) -> None:
    folder, home, clean = (tmp_path / name for name in ("folder", "home", "clean"))
    clean.mkdir()
    for place in (folder, home):
        (place / ".streamlit").mkdir(parents=True)
        (place / ".streamlit" / "config.toml").write_text(HOSTILE)
    (folder / ".streamlit" / "secrets.toml").write_text("[auth]\nredirect_uri = 'x'\n")
    expected = (
        '[[true, true, ["https://lab.example"], false, false, {}, false, null, "none", []], ['
    )
    assert read(clean, clean) == f"{expected}]]"
    text = read(folder, home)
    assert text.startswith(expected)
    assert text.count("config.toml") == 2
    assert text.count("secrets.toml") == 1
