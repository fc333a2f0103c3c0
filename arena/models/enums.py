"""The values of columns that have a few, and the lengths of texts."""

import enum

# Rules that draw a pair, by their published names; the first is the default of a new track.
SAMPLERS = ("adaptive", "uniform")
# Whether makers' services may rewrite prompts, as `generator.spec` has it.
PROMPT_REWRITING = ("maker-default", "off")
REPEAT = "repeat"  # the sampler of a battle that shows an earlier one again
HONEY = "honey"  # of a honey pair, a clip beside its own damaged copy, which no rating counts
# Longest texts that the columns hold, in characters; the schemas of files have the same limits.
NAME_LENGTH = 120  # of an entrant's name, slug, codename, creator or licence
KEY_LENGTH = 80  # of a track's name, a prompt's id or a category
RULE_LENGTH = 40  # of a sampler's or a tie rule's name
MEDIA_TYPE_LENGTH = 40  # of a source's media type, such as `image/png`
FINGERPRINT_LENGTH = 90  # of what an entrant runs: a kind, a colon and a SHA-256
NETWORK_LENGTH = 40  # of the hash of a network, or of the name of a total
DAMAGE_LENGTH = 20  # of the kind of a damaged copy
REPORT_LENGTH = 200  # of the reason that a voter gives for a report
REASON_LENGTH = 300  # of the public reason why a vote is held or counts again


class Modality(enum.StrEnum):
    TEXT_TO_VIDEO = "text-to-video"
    IMAGE_TO_VIDEO = "image-to-video"
    VIDEO_EDIT = "video-edit"


class Reveal(enum.StrEnum):
    AFTER_VOTE = "after-vote"
    AT_CLOSE = "at-close"


class ClipStatus(enum.StrEnum):
    READY = "ready"
    FAILED = "failed"


class OrderState(enum.StrEnum):
    """What is known of an order to a paid service."""

    PLANNED = "planned"  # a run has claimed the clip; nothing was sent yet
    PLACING = "placing"  # about to be sent, or sent without an answer yet
    ACCEPTED = "accepted"  # the service gave it an id; the next run goes on waiting for it
    RECEIVED = "received"  # its file was downloaded
    REJECTED = "rejected"  # surely not accepted: the clip may be ordered again
    REFUSED = "refused"  # by the service's rules of content: not ordered again unless asked
    FAILED = "failed"  # the service made no clip: it may be ordered again
    UNKNOWN = "unknown"  # may have been accepted, and billed: not ordered again unless asked


class VoteStatus(enum.StrEnum):
    """What became of an answer, as the API and receipts report it."""

    COUNTED = "counted"
    HELD = "held"
    SKIPPED = "skipped"


class HoldRule(enum.StrEnum):
    """Why a held vote does not count, as releases report it; `holds.rules` explains each."""

    # Of the vote itself: in a track with sound, judged without hearing both sides.
    PICTURE_ONLY = "picture-only"
    # Of the vote itself: its battle was a honey pair.
    HONEY_PAIR = "honey-pair"
    # Of events, about all votes of a voter in a track.
    AGREEMENT = "agreement"
    FAVOURITISM = "favouritism"
    CONCENTRATION = "concentration"
    ONE_SIDED = "one-sided"
    SPEED = "speed"
    REPETITION = "repetition"
    HONEY = "honey"
    # Of events, about votes on one model and day, by voters with few votes.
    COMPLETION = "completion"
    # Of events, about votes on one model by voters with about as many votes as each other.
    BLOC = "bloc"
    WITHDRAWN = "withdrawn"  # the voter took the vote back
    OPERATOR = "operator"  # somebody who runs the arena decided


class HoldKind(enum.StrEnum):
    """What an event of the ledger says of a vote; the last event of a vote decides."""

    HOLD = "hold"  # it does not count
    RELEASE = "release"  # it counts again
    COUNT = "count"  # it counts, and was not held before: the rules leave its voter alone


class BattleState(enum.StrEnum):
    # Issued early so that its clips can load; opens when the battle before it is answered.
    PREFETCHED = "ahead"
    OPEN = "open"
    ANSWERED = "answered"
    # Can no longer be answered: its time passed, it was replaced, or `voided_at` says when it was
    # reported as not playable.
    EXPIRED = "expired"


class BattleFile(enum.StrEnum):
    """The files that a battle shows; `SOURCE` only in tracks whose prompts have one."""

    A = "a"
    B = "b"
    SOURCE = "source"


class WithheldCause(enum.StrEnum):
    """Why a clip is in no battle although it is ready."""

    DAMAGED = "damaged"  # its file is missing, or is not the one that was stored
    REPORTED = "reported"  # voters reported that it does not play
    OPERATOR = "operator"  # somebody who runs the arena withdrew it


class Side(enum.StrEnum):
    A = "a"
    B = "b"


class Choice(enum.StrEnum):
    A = "a"
    B = "b"
    TIE = "tie"
    BAD = "bad"
    SKIP = "skip"
