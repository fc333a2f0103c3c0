"""Clips between the model and what finishes them, as many as memory can hold."""

from threading import Condition

# A small model is never kept waiting by one slow clip; a kill loses few clips.
MAX_CLIPS = 8
# Of samples. Five seconds of 1080p are 750 MB: of such clips there are `MIN_CLIPS`.
MAX_BYTES = 256 * 2**20
MIN_CLIPS = 2  # one at the model, one that is being finished


class Backlog:
    """Counts unfinished clips and their samples; for any number of threads."""

    def __init__(self) -> None:
        self._clips = self._bytes = 0
        self._changed = Condition()

    def acquire(self) -> None:
        """Count one more clip, as soon as there is room for it."""
        with self._changed:
            self._changed.wait_for(self._has_capacity)
            self._clips += 1

    def add_bytes(self, size: int) -> None:
        """Count the samples, in bytes, of a clip that entered without them."""
        with self._changed:
            self._bytes += size

    def release(self, size: int) -> None:
        """A clip is finished, or there is none; `size` is what was weighed of it."""
        with self._changed:
            self._clips -= 1
            self._bytes -= size
            self._changed.notify_all()

    def _has_capacity(self) -> bool:
        if self._clips < MIN_CLIPS:
            return True
        return self._clips < MAX_CLIPS and self._bytes < MAX_BYTES
