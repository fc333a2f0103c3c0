"""`/api/v1/releases`: the releases that the arena publishes, and their files.

Everything is public. Files are sent with `Range` and validators, and all at once as a ZIP archive;
only what a release's own list of checksums names can be requested.
"""

from email.utils import formatdate
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, Field

from arena.context import Arena
from arena.published import (
    PublishedRelease,
    find_published,
    list_published,
    media_type,
    published_file,
)
from arena.zip_stream import zip_stream

PREFIX = "/api/v1/releases/"  # of paths that answer HEAD themselves, without reading files
ZIP = "application/zip"
CACHE = "public, max-age=3600"  # a release never changes, but its operator may withdraw it


class ReleasedFile(BaseModel):
    name: str
    bytes: int
    sha256: str | None = Field(description="null: of the list of checksums itself")
    url: str


class ReleaseResponse(BaseModel):
    id: str
    made_at: str = Field(description="ISO 8601, UTC")
    tracks: list[str]
    open_tracks: list[str] = Field(description="tracks that took votes when it was made")
    votes: int = Field(description="by people")
    simulated: int = Field(description="votes by simulated voters")
    watermark: str = Field(description="id of the newest vote")
    licence: str | None
    key: str = Field(description="fingerprint of the key that signed it")
    seal: str = Field(description="hash of its last seal")
    bytes: int
    archive: str = Field(description="URL of all files as one ZIP archive")
    files: list[ReleasedFile]


class ReleasesResponse(BaseModel):
    releases: list[ReleaseResponse] = Field(description="newest first")


def release_response(release: PublishedRelease, base_path: str) -> ReleaseResponse:
    """Describe a release."""
    about: dict[str, Any] = release.about
    sizes = {name: published_file(release, name).stat().st_size for name in release.files}
    prefix = f"{base_path}{PREFIX}{release.id}"
    return ReleaseResponse(
        id=release.id,
        made_at=about["made_at"],
        tracks=about["tracks"],
        open_tracks=about["open_tracks"],
        votes=about["rows"]["votes"],
        simulated=about["rows"]["simulated"],
        watermark=about["watermark"],
        licence=about["licence"],
        key=about["key"],
        seal=about["seal"],
        bytes=sum(sizes.values()),
        archive=f"{prefix}.zip",
        files=[
            ReleasedFile(
                name=name, bytes=size, sha256=release.sums.get(name), url=f"{prefix}/{name}"
            )
            for name, size in sizes.items()
        ],
    )


def make_router(arena: Arena) -> APIRouter:
    """The routes for one arena."""
    router = APIRouter(prefix="/api/v1")
    home, base_path = arena.settings.home, arena.settings.base_path

    @router.get("/releases", response_model=ReleasesResponse)
    def list_releases() -> JSONResponse:
        """The published releases with their files, newest first."""
        found = [release_response(each, base_path) for each in list_published(home)]
        return JSONResponse({"releases": [each.model_dump() for each in found]})

    @router.head("/releases/{release_id}.zip", include_in_schema=False)
    @router.get("/releases/{release_id}.zip", response_class=StreamingResponse)
    def get_archive(request: Request, release_id: str) -> StreamingResponse:
        """A published release as an uncompressed ZIP archive, which `arena verify` reads."""
        release = find_published(home, release_id)
        paths = [(f"{release.id}/{name}", published_file(release, name)) for name in release.files]
        headers = {
            "Cache-Control": CACHE,
            "Content-Disposition": f'attachment; filename="{release.id}.zip"',
        }
        if request.method == "HEAD":
            return StreamingResponse((), media_type=ZIP, headers=headers)
        return StreamingResponse(zip_stream(paths), media_type=ZIP, headers=headers)

    @router.head("/releases/{release_id}", include_in_schema=False)
    @router.get("/releases/{release_id}")
    def get_release(release_id: str) -> ReleaseResponse:
        """One published release with its files."""
        return release_response(find_published(home, release_id), base_path)

    @router.head("/releases/{release_id}/{file:path}", include_in_schema=False)
    @router.get("/releases/{release_id}/{file:path}", response_class=FileResponse)
    def get_file(release_id: str, file: str) -> FileResponse:
        """A file of a published release. `Range` is understood."""
        release = find_published(home, release_id)
        path = published_file(release, file)
        changed = path.stat().st_mtime
        headers = {"Cache-Control": CACHE, "Last-Modified": formatdate(changed, usegmt=True)}
        if file in release.sums:
            headers["ETag"] = f'"{release.sums[file]}"'
        return FileResponse(
            path,
            media_type=media_type(file),
            filename=path.name,
            headers=headers,
        )

    return router
