"""The steps of `arena demo`: an arena with the built-in entrants and simulated votes."""

from collections.abc import Iterator

from sqlalchemy import func, select

from arena import production
from arena.audit.seals import seal_votes
from arena.catalog.entrants import add_entrant, find_by_slug
from arena.commands.generating import generate_pending, make_honey_copies
from arena.commands.output import err
from arena.commands.results import simulate_votes
from arena.context import Arena, make_arena, utc_now
from arena.errors import ArenaError
from arena.models import Clip, ClipStatus, Vote, Voter, VoterKind
from arena.settings import Settings
from arena.shipped import Collection
from arena.text import pluralize

SIMULATED_VOTES = 1200  # enough that the intervals separate the built-in entrants
SIMULATED_VOTERS = 60
MINUTES = "5 to 10"  # that the clips take on two CPU cores, as the README says


def prepare(settings: Settings) -> tuple[Arena, frozenset[int]]:
    """Create the demo's arena and add the built-in entrants; keep what already exists.

    Returns:
        The arena, and the ids of its own entrants that are not retired.
    """
    arena = make_arena(settings, Collection.DEMO)
    own = set()
    with arena.database.writing() as session:
        for path in production.built_in_entrants():
            entry = production.read_entrant_file(path)
            entrant = find_by_slug(session, entry.slug)
            if entrant is None:
                fingerprint = production.fingerprint_of(entry)
                entrant = add_entrant(
                    session, entry, fingerprint=fingerprint, now=utc_now()
                ).entrant
            if entrant.retired_at is None:
                own.add(entrant.id)
    seal_votes(arena, now=utc_now())
    return arena, frozenset(own)


def fill(arena: Arena, own: frozenset[int], *, workers: int | None) -> Iterator[str]:
    """Generate the missing clips of the demo's own entrants, and cast simulated votes.

    What fails does not keep the demo from being served. Clips that a model has made and that cannot
    be shown, and entrants that were added to the demo, are left to `arena generate`.

    Yields:
        What failed, as warnings with the command that says more.
    """
    with arena.database.reading() as session:
        found = production.find_pending(session, seed_key=arena.settings.seed_key())
        pending, rejected = production.split_by_rejection(
            session, [item for item in found if item.entrant_id in own]
        )
        ready = session.scalar(
            select(func.count(Clip.id)).where(
                *(Clip.entrant_id.in_(own), Clip.status == ClipStatus.READY),
                Clip.damage.is_(None),
            )
        )
    if rejected:
        is_or_are = "is" if len(rejected) == 1 else "are"
        yield (
            f"{pluralize(len(rejected), 'clip')} failed in an earlier start and {is_or_are} not "
            "tried again: `arena failures` says why, `arena generate` tries again."
        )
    if pending:
        err.print(describe_work(ready or 0, len(pending)))
        try:
            done = generate_pending(arena, pending, workers=workers)
            if done.failed:
                yield f"{pluralize(done.failed, 'clip')} failed: `arena failures` lists them."
        except ArenaError as error:
            yield f"{error} `arena failures` lists failed clips."
    try:
        make_honey_copies(arena)
    except ArenaError as error:
        yield f"{error} `arena generate` makes the damaged copies for honey pairs."
    if missing := missing_simulated_votes(arena):
        try:
            simulate_votes(
                arena, votes=missing, track=None, voters=SIMULATED_VOTERS, seed=0, entrants=own
            )
        except ArenaError as error:
            yield f"{error} `arena status` shows which tracks have clips."


def describe_work(ready: int, missing: int) -> str:
    """Say what a start of the demo does before it serves, with `ready` clips made already."""
    if ready == 0:
        work = (
            f"The first start generates {missing:,} clips with the built-in model: {MINUTES} "
            "minutes on two idle CPU cores, longer if other programs use them."
        )
    else:
        generated = f"the other {missing:,}" if missing > 1 else "the last one"
        work = f"{ready:,} of {ready + missing:,} clips exist; this start generates {generated}."
    return f"{work} If interrupted, the next start resumes."


def missing_simulated_votes(arena: Arena) -> int:
    """Return how many simulated votes the demo still needs."""
    with arena.database.reading() as session:
        existing = session.scalar(
            select(func.count(Vote.id))
            .join(Voter, Voter.id == Vote.voter_id)
            .where(Voter.kind == VoterKind.SIMULATED)
        )
    return max(0, SIMULATED_VOTES - (existing or 0))
