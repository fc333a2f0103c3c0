"""Writes clips: asks what is missing, has it generated, stores it. The one door to `generator`."""

from arena.production.entrants import built_in_entrants, check_entrant, read_entrant_file
from arena.production.importing import import_clips
from arena.production.pending import Missing, find_missing
from arena.production.produce_clips import failure_of, produce
from arena.production.reproducibility import Recheck, draw_ready, recheck
from arena.production.rerendering import find_kept

__all__ = [
    "Missing",
    "Recheck",
    "built_in_entrants",
    "check_entrant",
    "draw_ready",
    "failure_of",
    "find_kept",
    "find_missing",
    "import_clips",
    "produce",
    "read_entrant_file",
    "recheck",
]
