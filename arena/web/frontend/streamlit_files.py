"""Streamlit's files that the arena does not read; apart from its settings, to load quickly."""

from pathlib import Path

FILES = ("config.toml", "secrets.toml")


def ignored_files() -> list[Path]:
    """The Streamlit files that exist where Streamlit would read them."""
    folders = (Path.home() / ".streamlit", Path.cwd() / ".streamlit")
    paths = (folder / name for folder in dict.fromkeys(folders) for name in FILES)
    return [path for path in paths if path.is_file()]
