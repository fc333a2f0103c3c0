"""`/assets/…`: the vote page's JavaScript and CSS, under a URL that contains their digest."""

import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from arena.errors import NotFound
from arena.web.frontend.static_files import IMMUTABLE, StaticFile
from arena.web.rendering.theme import vote_page_theme

STYLES = ("theme.css", "duel.css", "stage.css")


@cache
def duel_assets() -> dict[str, bytes]:
    """Contents of the files, by name. `theme.css` is made from the theme of all pages."""
    folder = files("arena.web.duel") / "assets"
    contents = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    return contents | {"theme.css": vote_page_theme().encode()}


@cache
def _static_file(name: str) -> StaticFile:
    return StaticFile.make(name, duel_assets()[name], cache_control=IMMUTABLE)


@cache
def assets_version() -> str:
    """A digest of all files: the modules import each other, so they share one version."""
    digest = hashlib.sha256()
    for name, data in sorted(duel_assets().items()):
        digest.update(name.encode() + b"\0" + data)
    return digest.hexdigest()[:16]


def asset_url(name: str) -> str:
    """The current URL path of a file, without the arena's base path."""
    return f"/assets/{assets_version()}/{name}"


def make_router() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/assets/{version}/{name}")
    def get_asset(request: Request, version: str, name: str) -> Response:
        if name not in duel_assets() or version != assets_version():
            raise NotFound(f"No file {name} in this version: reload the page.")
        return _static_file(name).response(request.headers)

    return router
