"""Store the videos' records and files in a folder."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from generator.files import atomic_write
from generator.serve.errors import NotFound
from generator.serve.schemas import Video, VideoError

STOPPED = VideoError(
    code="server_stopped", message="The server was stopped; create the video again."
)


class VideoStore:
    """Keeps at most `keep` finished videos, each for `keep_s` seconds; deletes the oldest first.

    Videos in the folder from an earlier run are kept.
    """

    def __init__(
        self, folder: Path, *, keep: int, keep_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder, self.keep, self.keep_s = folder, keep, keep_s
        self._clock = clock
        self._lock = threading.RLock()
        self._videos: dict[str, Video] = {}  # in order of creation
        self._load()

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._clock())

    def file(self, video_id: str) -> Path:
        """Path of a video's MP4."""
        return self.folder / f"{video_id}.mp4"

    def image(self, video_id: str) -> Path:
        """Path of a video's first image, which is deleted when the video is finished."""
        return self.folder / f"{video_id}.image"

    def put(self, video: Video) -> None:
        """Add a new video.

        Raises:
            OSError: Its record cannot be written; the video is not added.
        """
        with self._lock:
            self._write(video)
            self._videos[video.id] = video

    def get(self, video_id: str) -> Video:
        """Return a video.

        Raises:
            NotFound: No video has this id, or it was deleted.
        """
        with self._lock:
            self._delete_expired()
            if video_id not in self._videos:
                raise NotFound(
                    f"The video {video_id[:100]!r} does not exist; it may have expired or been "
                    "deleted.",
                    param="video_id",
                    code="video_not_found",
                )
            return self._videos[video_id]

    def all(self) -> list[Video]:
        """Return all videos in order of creation."""
        with self._lock:
            self._delete_expired()
            return list(self._videos.values())

    def begin(self, video_id: str) -> None:
        """Set a video's status to in progress, unless it was deleted."""
        self._change(video_id, status="in_progress")

    def complete(self, video_id: str, data: bytes) -> None:
        """Save a video's file and set its status to completed, unless it was deleted.

        Raises:
            OSError: The file cannot be written.
        """
        with self._lock:
            if video_id not in self._videos:
                return
            with atomic_write(self.file(video_id), durable=False) as file:
                file.write(data)
            now = self.now()
            self._change(
                video_id,
                status="completed",
                progress=100,
                completed_at=now,
                expires_at=now + int(self.keep_s),
            )

    def fail(self, video_id: str, error: VideoError) -> None:
        """Set a video's status to failed, unless it was deleted."""
        self._change(video_id, status="failed", error=error, completed_at=self.now())

    def remove(self, video_id: str) -> None:
        """Delete a video and its files."""
        with self._lock:
            self._videos.pop(video_id, None)
            for path in (self.file(video_id), self.image(video_id), self._record(video_id)):
                path.unlink(missing_ok=True)

    def _change(self, video_id: str, **changes: Any) -> None:
        with self._lock:
            video = self._videos.get(video_id)
            if video is None:
                return
            self._videos[video_id] = video = video.model_copy(update=changes)
            # Ignore a full disk: only the next run reads the record.
            with suppress(OSError):
                self._write(video)
            if video.finished:
                self.image(video_id).unlink(missing_ok=True)
                self._delete_expired()

    def _delete_expired(self) -> None:
        finished = [video for video in self._videos.values() if video.finished]
        finished.sort(key=lambda video: video.completed_at or 0)
        now = self.now()
        surplus = len(finished) - self.keep
        for index, video in enumerate(finished):
            if index < surplus or (video.completed_at or 0) + self.keep_s <= now:
                self.remove(video.id)

    def _record(self, video_id: str) -> Path:
        return self.folder / f"{video_id}.json"

    def _write(self, video: Video) -> None:
        with atomic_write(self._record(video.id), durable=False) as file:
            file.write(video.model_dump_json().encode())

    def _load(self) -> None:
        videos = []
        for path in self.folder.glob("video_*.json"):
            try:
                video = Video.model_validate_json(path.read_bytes())
            except ValidationError:
                continue  # not a record of this server
            if path == self._record(video.id):
                videos.append(video)
        for video in sorted(videos, key=lambda video: (video.created_at, video.id)):
            self._videos[video.id] = video
            if not video.finished:
                self.fail(video.id, STOPPED)
            elif video.status == "completed" and not self.file(video.id).is_file():
                self.remove(video.id)
