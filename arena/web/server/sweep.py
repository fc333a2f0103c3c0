"""Checks every stored clip and source again and again, slowly, while the server runs."""

import asyncio
import logging
from functools import partial

import anyio
import anyio.to_thread

from arena.context import Arena, utc_now
from arena.error_log import ErrorLog
from arena.errors import StoreUnavailable
from arena.integrity import CheckedFile, check_file, list_files, withhold_damaged

START_S = 60.0  # after the start of the server, which has other things to do
BYTES_PER_S = 4 << 20  # read from the media store: a tenth of a core, and little of a disk
FILES_PER_S = 10
PAUSE_S = 3600.0  # between two passes over all files
RETRY_S = 60.0  # if a store does not respond

log = logging.getLogger(__name__)


async def sweep_forever(arena: Arena) -> None:
    """Withhold damaged files from battles as they are found. Ends when it is cancelled."""
    thread = anyio.CapacityLimiter(1)
    errors = ErrorLog(log, "Checking the stored files")
    await asyncio.sleep(START_S)
    while True:
        try:
            await _sweep(arena, thread)
        except StoreUnavailable as error:
            errors.failed(str(error))
            await asyncio.sleep(RETRY_S)
        else:
            errors.succeeded()
            await asyncio.sleep(PAUSE_S)


async def _sweep(arena: Arena, thread: anyio.CapacityLimiter) -> None:
    """Check every file once."""
    find = partial(list_files, arena.database, masters=False)
    for checked in await anyio.to_thread.run_sync(find, limiter=thread):
        await anyio.to_thread.run_sync(sweep_file, arena, checked, limiter=thread)
        await asyncio.sleep(max(checked.file.bytes / BYTES_PER_S, 1 / FILES_PER_S))


def sweep_file(arena: Arena, checked: CheckedFile) -> None:
    """Check a file, and withhold it if it is damaged."""
    damage = check_file(arena.store, checked).damage
    if damage is not None:
        withhold_damaged(arena.database, arena.store, checked.file, damage, now=utc_now())
