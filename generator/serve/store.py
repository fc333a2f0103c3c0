"""Videos that were asked for: what is known of each, and the files of the finished ones."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from generator.serve.errors import NotFound
from generator.serve.schemas import Video, VideoError

STOPPED = VideoError(code="server_stopped", message="The server was stopped; ask again.")


class VideoStore:
    """Keeps at most `keep` finished videos, each for `keep_s` seconds; the oldest go first.

    A folder that is used again still has the videos of the last run.
    """

    def __init__(
        self, folder: Path, *, keep: int, keep_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.folder, self.keep, self.keep_s = folder, keep, keep_s
        self._clock = clock
        self._lock = threading.RLock()
        self._videos: dict[str, Video] = {}  # in the order in which they were asked for
        self._load()

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._clock())

    def file(self, video_id: str) -> Path:
        """Where a video's MP4 is, or will be."""
        return self.folder / f"{video_id}.mp4"

    def image(self, video_id: str) -> Path:
        """Where a video's first image is until the video is finished."""
        return self.folder / f"{video_id}.image"

    def put(self, video: Video) -> None:
        """Take a new video in."""
        with self._lock:
            self._write(video)  # a video that cannot be noted is none
            self._videos[video.id] = video

    def get(self, video_id: str) -> Video:
        """What is known of a video.

        Raises:
            NotFound: There is none of that id, or no more.
        """
        with self._lock:
            self._sweep()
            if video_id not in self._videos:
                raise NotFound(
                    f"There is no video {video_id[:100]!r}; it may have expired or been deleted.",
                    param="video_id",
                    code="video_not_found",
                )
            return self._videos[video_id]

    def all(self) -> list[Video]:
        """Every video, the first that was asked for first."""
        with self._lock:
            self._sweep()
            return list(self._videos.values())

    def begin(self, video_id: str) -> None:
        """Note that a video is being made, unless it was deleted meanwhile."""
        self._change(video_id, status="in_progress")

    def complete(self, video_id: str, data: bytes) -> None:
        """Keep a video's file, unless it was deleted meanwhile.

        Raises:
            OSError: The disk does not take it.
        """
        with self._lock:
            if video_id not in self._videos:
                return
            _write_whole(self.file(video_id), data)
            now = self.now()
            self._change(
                video_id,
                status="completed",
                progress=100,
                completed_at=now,
                expires_at=now + int(self.keep_s),
            )

    def fail(self, video_id: str, error: VideoError) -> None:
        """Note why there is no video, unless it was deleted meanwhile."""
        self._change(video_id, status="failed", error=error, completed_at=self.now())

    def remove(self, video_id: str) -> None:
        """Forget a video and delete its files."""
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
            # A full disk loses what only the next run would read.
            with suppress(OSError):
                self._write(video)
            if video.finished:
                self.image(video_id).unlink(missing_ok=True)
                self._sweep()

    def _sweep(self) -> None:
        finished = [video for video in self._videos.values() if video.finished]
        finished.sort(key=lambda video: video.completed_at or 0)
        now = self.now()
        surplus = len(finished) - self.keep
        for place, video in enumerate(finished):
            if place < surplus or (video.completed_at or 0) + self.keep_s <= now:
                self.remove(video.id)

    def _record(self, video_id: str) -> Path:
        return self.folder / f"{video_id}.json"

    def _write(self, video: Video) -> None:
        _write_whole(self._record(video.id), video.model_dump_json().encode())

    def _load(self) -> None:
        found = []
        for path in self.folder.glob("video_*.json"):
            try:
                video = Video.model_validate_json(path.read_bytes())
            except ValidationError:
                continue  # no record of ours
            if path == self._record(video.id):
                found.append(video)
        for video in sorted(found, key=lambda video: (video.created_at, video.id)):
            self._videos[video.id] = video
            if not video.finished:
                self.fail(video.id, STOPPED)
            elif video.status == "completed" and not self.file(video.id).is_file():
                self.remove(video.id)


def _write_whole(path: Path, data: bytes) -> None:
    """Write beside the place and move there, so that a reader never sees a part."""
    part = path.with_suffix(f"{path.suffix}.part")
    part.write_bytes(data)
    part.replace(path)
