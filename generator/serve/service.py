"""What the API does: orders, looks up, lists, hands out and deletes videos."""

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
MAX_OPEN_IMAGES = 2  # an opened picture takes up to a thousand times its file's bytes


class VideoService:
    """The videos of a server."""

    def __init__(self, catalog: Catalog, store: VideoStore, queue: JobQueue) -> None:
        self.catalog = catalog
        self.store = store
        self.queue = queue
        self._image_slots = threading.Semaphore(MAX_OPEN_IMAGES)

    def create(self, asked: CreateVideo, image: bytes | None) -> Video:
        """Order a video.

        Raises:
            BadRequest: A parameter or the image cannot be used.
            QueueFull: Too many videos wait.
        """
        terms = self.catalog.resolve(asked, with_image=image is not None)
        self.queue.check_capacity()  # before an image is opened and stored
        if image is not None:
            with self._image_slots:
                check_image(image)
        seed = secrets.randbelow(SEEDS) if asked.seed is None else asked.seed
        video = Video(
            id=f"video_{secrets.token_hex(16)}",
            model=terms.entrant.slug,
            created_at=self.store.now(),
            prompt=asked.prompt,
            seconds=f"{terms.track.duration_s:.6g}",
            size=terms.size,
            seed=seed,
        )
        source = None if image is None else self.store.image(video.id)
        request = ClipRequest(
            terms.entrant,
            terms.track,
            prompt_id=video.id,
            prompt=asked.prompt,
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
        """A video as it stands.

        Raises:
            NotFound: There is none of that id.
        """
        return self._with_progress(self.store.get(video_id))

    def page(self, asked: ListVideos) -> tuple[list[Video], bool]:
        """Videos of a page, and whether more follow.

        Raises:
            NotFound: There is no video `after`.
        """
        if asked.after is not None:
            self.store.get(asked.after)
        videos = self.store.all()
        if asked.order == "desc":
            videos.reverse()
        ids = [video.id for video in videos]
        start = ids.index(asked.after) + 1 if asked.after in ids else 0
        page = videos[start : start + asked.limit]
        return [self._with_progress(video) for video in page], start + asked.limit < len(videos)

    def delete(self, video_id: str) -> None:
        """Forget a video; one that waits or is being made is cancelled.

        Raises:
            NotFound: There is none of that id.
        """
        self.store.get(video_id)
        self.queue.cancel(video_id)
        self.store.remove(video_id)

    def file(self, video_id: str) -> Path:
        """The file of a finished video.

        Raises:
            NotFound: There is no video of that id.
            BadRequest: It is not finished, or has failed.
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
                f"The video is {video.status.replace('_', ' ')}; ask again when it is completed.",
                param="video_id",
                code="video_not_ready",
            )
        file = self.store.file(video_id)
        if not file.is_file():
            raise NotFound(
                f"The file of {video_id} is gone; ask for the video again.",
                param="video_id",
                code="video_not_found",
            )
        return file

    def _with_progress(self, video: Video) -> Video:
        if video.status != "in_progress":
            return video
        return video.model_copy(update={"progress": self.queue.progress(video.id)})
