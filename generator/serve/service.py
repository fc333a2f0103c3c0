"""The API's logic: create, retrieve, list, download and delete videos."""

import secrets
import threading
from pathlib import Path

from generator.clips import ClipRequest
from generator.serve.catalog import Catalog
from generator.serve.errors import BadRequest, NotFound
from generator.serve.images import check_image
from generator.serve.queue import JobQueue
from generator.serve.schemas import CreateVideo, ListVideos, Video
from generator.serve.store import VideoStore

SEEDS = 2**32
MAX_OPEN_IMAGES = 2  # a decoded image may need a thousand times the bytes of its file


class VideoService:
    """The videos of a server."""

    def __init__(self, catalog: Catalog, store: VideoStore, queue: JobQueue) -> None:
        self.catalog = catalog
        self.store = store
        self.queue = queue
        self._image_slots = threading.Semaphore(MAX_OPEN_IMAGES)

    def create(self, params: CreateVideo, image: bytes | None) -> Video:
        """Create a video and queue its job.

        Raises:
            BadRequest: A parameter or the image is invalid.
            QueueFull: Too many videos are waiting.
        """
        resolved = self.catalog.resolve(params, with_image=image is not None)
        self.queue.check_capacity()  # before an image is decoded and stored
        if image is not None:
            with self._image_slots:
                check_image(image)
        seed = secrets.randbelow(SEEDS) if params.seed is None else params.seed
        video = Video(
            id=f"video_{secrets.token_hex(16)}",
            model=self.catalog.slug_of(resolved.entrant),
            created_at=self.store.now(),
            prompt=params.prompt,
            seconds=f"{resolved.track.duration_s:.6g}",
            size=resolved.size,
            seed=seed,
        )
        source = None if image is None else self.store.image(video.id)
        request = ClipRequest(
            resolved.entrant,
            resolved.track,
            prompt_id=video.id,
            prompt=params.prompt,
            seed=seed,
            source=source,
            rendition_only=True,
        )
        try:
            if source is not None and image is not None:
                source.write_bytes(image)
            self.store.put(video)
            self.queue.add(request)
        except Exception:
            self.store.remove(video.id)
            raise
        return video

    def retrieve(self, video_id: str) -> Video:
        """Return the current state of a video.

        Raises:
            NotFound: No video has this id.
        """
        return self._with_progress(self.store.get(video_id))

    def page(self, params: ListVideos) -> tuple[list[Video], bool]:
        """Return one page of videos, and whether more follow.

        Raises:
            NotFound: The video `after` does not exist.
        """
        if params.after is not None:
            self.store.get(params.after)
        videos = self.store.all()
        if params.order == "desc":
            videos.reverse()
        ids = [video.id for video in videos]
        start = ids.index(params.after) + 1 if params.after in ids else 0
        page = videos[start : start + params.limit]
        return [self._with_progress(video) for video in page], start + params.limit < len(videos)

    def delete(self, video_id: str) -> None:
        """Delete a video; cancel its job if it is queued or running.

        Raises:
            NotFound: No video has this id.
        """
        self.store.get(video_id)
        self.queue.cancel(video_id)
        self.store.remove(video_id)

    def file(self, video_id: str) -> Path:
        """Return the path of a completed video's file.

        Raises:
            NotFound: No video has this id, or its file is missing.
            BadRequest: The video is not completed, or failed.
        """
        video = self.store.get(video_id)
        if video.error is not None:
            raise BadRequest(
                f"The video failed and has no file: {video.error.message}",
                param="video_id",
                code="video_failed",
            )
        if not video.finished:
            raise BadRequest(
                f"The video is {video.status.replace('_', ' ')}; retry when it is completed.",
                param="video_id",
                code="video_not_ready",
            )
        file = self.store.file(video_id)
        if not file.is_file():
            raise NotFound(
                f"The file of {video_id} is missing; create the video again.",
                param="video_id",
                code="video_not_found",
            )
        return file

    def _with_progress(self, video: Video) -> Video:
        if video.status != "in_progress":
            return video
        return video.model_copy(update={"progress": self.queue.progress(video.id)})
