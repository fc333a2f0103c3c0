"""Memory for the frames of a clip: large ones lie in a temporary file, and pages can be released.

Five seconds of 1280x720 are 330 MB. Most of the time only a few frames are in use; the others need
no memory of the process, and the system can write them to disk when memory is short.
"""

import mmap
import os
import tempfile
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from generator.media.probe import MEBIBYTE

MIN_FILE_BYTES = 64 * MEBIBYTE  # smaller buffers stay in memory
RELEASE_EVERY = 8  # frames, in a loop over all


def allocate_frames(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a buffer for frames (T, H, W, 3), all zero."""
    size = int(np.prod(shape, dtype=np.int64))
    if size < MIN_FILE_BYTES:
        return np.zeros(shape, np.uint8)
    try:
        with tempfile.TemporaryFile(prefix="frames-") as file:
            # Reserved now: on a full disk, a write to the mapping would end the process.
            os.posix_fallocate(file.fileno(), 0, size)
            mapping = mmap.mmap(file.fileno(), size)
    except OSError:
        return np.zeros(shape, np.uint8)
    return np.frombuffer(mapping, np.uint8).reshape(shape)


def each_frame(frames: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames, giving back the memory of those before."""
    for index, frame in enumerate(frames):
        yield frame
        if index % RELEASE_EVERY == 0:
            release_frames(frames)
    release_frames(frames)


def release_frames(frames: NDArray[np.uint8]) -> None:
    """Give back the memory of a buffer of `allocate_frames`; its content is kept in the file."""
    owner: object = frames
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    if isinstance(owner, mmap.mmap):
        owner.madvise(mmap.MADV_DONTNEED)
