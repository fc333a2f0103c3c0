"""Generates, imports and stores clips: the only package of the arena that imports `generator`.

Start with `pending`, which finds the missing clips, and `produce_clips`, which generates and stores
them. May import: `arena.catalog`, `arena.media`, `arena.models`, `arena.errors`, and `generator`.
"""

from arena.production.bills import Bill, make_bill
from arena.production.entrants import built_in_entrants, check_entrant, read_entrant_file
from arena.production.fingerprints import fingerprint_of
from arena.production.honey import find_missing_copies, make_copies
from arena.production.importing import import_clips
from arena.production.misnamed_files import misnamed_files, misnamed_files_of
from arena.production.pending import (
    PendingClip,
    count_left_out,
    find_pending,
    split_by_file,
    split_by_key,
    split_by_rejection,
)
from arena.production.pictures import write_first_picture
from arena.production.produce_clips import (
    failure_reason,
    forget_failures,
    is_missing,
    produce,
)
from arena.production.providers import (
    describe_service,
    list_offers,
    read_entry,
    trust_host,
)
from arena.production.reproducibility import Recheck, recheck, sample_ready
from arena.production.rerendering import find_stored_masters, other_encodings

__all__ = [
    "Bill",
    "PendingClip",
    "Recheck",
    "built_in_entrants",
    "check_entrant",
    "count_left_out",
    "describe_service",
    "failure_reason",
    "find_missing_copies",
    "find_pending",
    "find_stored_masters",
    "fingerprint_of",
    "forget_failures",
    "import_clips",
    "is_missing",
    "list_offers",
    "make_bill",
    "make_copies",
    "misnamed_files",
    "misnamed_files_of",
    "other_encodings",
    "produce",
    "read_entrant_file",
    "read_entry",
    "recheck",
    "sample_ready",
    "split_by_file",
    "split_by_key",
    "split_by_rejection",
    "trust_host",
    "write_first_picture",
]
