"""The routes of the API: parse a request, call the service, build the response."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from generator.errors import ClipError
from generator.media import previews
from generator.serve.errors import (
    ApiError,
    BadRequest,
    NotFound,
    on_api_error,
    on_http_error,
    on_unhandled_error,
)
from generator.serve.forms import read_create
from generator.serve.middleware import ApiKeyMiddleware, BodyLimitMiddleware
from generator.serve.schemas import Download, ListVideos, Video, list_response
from generator.serve.service import VideoService
from generator.spec import Entrant

# Polling interval of the client, unless it sets its own.
POLL_AFTER = {"openai-poll-after-ms": "500"}


def make_app(
    service: VideoService, *, max_bytes: int, key: str | None, on_stop: Callable[[], None]
) -> Starlette:
    """Build the API's application.

    Args:
        service: The videos.
        max_bytes: Maximum size of a request's body.
        key: The API key that clients must send, if any.
        on_stop: Called when the server stops.
    """
    started = service.store.now()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(on_stop)

    async def create(request: Request) -> Response:
        params, image = await read_create(request, max_bytes=max_bytes)
        return _video_response(await run_in_threadpool(service.create, params, image))

    def retrieve(request: Request) -> Response:
        return _video_response(service.retrieve(request.path_params["video_id"]))

    def list_videos(request: Request) -> Response:
        videos, has_more = service.page(ListVideos.parse(dict(request.query_params)))
        return JSONResponse(list_response(videos, has_more=has_more))

    def delete(request: Request) -> Response:
        video_id = request.path_params["video_id"]
        service.delete(video_id)
        return JSONResponse({"id": video_id, "deleted": True, "object": "video.deleted"})

    def content(request: Request) -> Response:
        params = Download.parse(dict(request.query_params))
        file = service.file(request.path_params["video_id"])
        try:
            match params.variant:
                case "thumbnail":
                    return Response(previews.first_frame(file), media_type="image/webp")
                case "spritesheet":
                    return Response(previews.sprite_sheet(file), media_type="image/jpeg")
        except ClipError as error:  # deleted in the meantime, or damaged
            raise NotFound(str(error), param="video_id", code="video_not_found") from error
        return FileResponse(file, media_type="video/mp4", filename=file.name)

    def list_models(_: Request) -> Response:
        entrants = service.catalog.entrants.items()
        data = [_model_object(slug, entrant, created=started) for slug, entrant in entrants]
        return JSONResponse({"object": "list", "data": data})

    def retrieve_model(request: Request) -> Response:
        try:
            entrant = service.catalog.find(request.path_params["model"])
        except BadRequest as error:
            raise NotFound(str(error), param=error.param, code=error.code) from error
        slug = service.catalog.slug_of(entrant)
        return JSONResponse(_model_object(slug, entrant, created=started))

    videos = [
        Route("/videos", create, methods=["POST"]),
        Route("/videos", list_videos, methods=["GET"]),
        # These precede the routes with an id, which would match them.
        Route("/videos/characters", _unsupported, methods=["POST"]),
        Route("/videos/characters/{character_id}", _unsupported, methods=["GET"]),
        Route("/videos/edits", _unsupported, methods=["POST"]),
        Route("/videos/extensions", _unsupported, methods=["POST"]),
        Route("/videos/{video_id}/remix", _unsupported, methods=["POST"]),
        Route("/videos/{video_id}/content", content, methods=["GET"]),
        Route("/videos/{video_id}", retrieve, methods=["GET"]),
        Route("/videos/{video_id}", delete, methods=["DELETE"]),
        Route("/models", list_models, methods=["GET"]),
        Route("/models/{model}", retrieve_model, methods=["GET"]),
    ]
    middleware = [Middleware(BodyLimitMiddleware, max_bytes=max_bytes)]
    if key is not None:
        middleware.insert(0, Middleware(ApiKeyMiddleware, key=key))
    return Starlette(
        routes=[Route("/healthz", _health, methods=["GET"]), Mount("/v1", routes=videos)],
        middleware=middleware,
        exception_handlers={
            ApiError: on_api_error,
            HTTPException: on_http_error,
            Exception: on_unhandled_error,
        },
        lifespan=lifespan,
    )


def _video_response(video: Video) -> Response:
    return JSONResponse(video.model_dump(mode="json"), headers=POLL_AFTER)


def _model_object(slug: str, entrant: Entrant, *, created: int) -> dict[str, object]:
    return {
        "id": slug,
        "object": "model",
        "created": created,
        "owned_by": entrant.creator,
    }


def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _unsupported(request: Request) -> Response:
    raise BadRequest(
        f"{request.url.path} is not supported: videos are generated from a prompt and a first "
        "image, not from other videos; use POST /v1/videos.",
        code="unsupported",
    )
