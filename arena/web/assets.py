"""`/assets/…`: the duel's own modules and styles, under an address that changes with them."""

import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from arena.errors import NotFound

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}


@cache
def duel_assets() -> dict[str, bytes]:
    """The files by name."""
    folder = files("arena.web.duel") / "assets"
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


@cache
def assets_version() -> str:
    """A digest of all the files: modules import each other, so they change together."""
    digest = hashlib.sha256()
    for name, data in sorted(duel_assets().items()):
        digest.update(name.encode() + b"\0" + data)
    return digest.hexdigest()[:16]


def asset_url(name: str) -> str:
    return f"/assets/{assets_version()}/{name}"


def make_router() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/assets/{version}/{name}")
    def get_asset(version: str, name: str) -> Response:
        data = duel_assets().get(name)
        if data is None or version != assets_version():
            raise NotFound("There is no such file; reload the page.")
        suffix = name[name.rfind(".") :]
        return Response(data, media_type=MEDIA_TYPES.get(suffix), headers=FOREVER)

    return router
