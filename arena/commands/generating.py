"""Generates clips for the commands: the missing ones, damaged copies, and clips to compare.

The database, and the generator with torch, are imported only when there is work for them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arena.commands.bills import Budget, agree_on_bill
from arena.commands.output import err, out, show_table
from arena.commands.selection import select
from arena.errors import ProductionError
from arena.text import pluralize

if TYPE_CHECKING:
    from arena.context import Arena
    from arena.production import PendingClip
    from arena.production.pending import LeftOut
    from generator.clips import ClipRequest, FailedClip, GeneratedClip


def generate_missing(
    arena: "Arena",
    *,
    workers: int | None,
    track: str | None = None,
    entrant: str | None = None,
    limit: int | None = None,
    ray: str | None = None,
    order_again: bool = False,
    budget: Budget | None = None,
) -> bool:
    """Generate the missing clips, with one progress bar per entrant.

    Returns:
        Whether there are new clips.

    Raises:
        ProductionError: some clips failed; says how many and where the reasons are. Or some
            cannot be ordered without a key: the others were generated.
    """
    from arena import production
    from arena.catalog.entrants import list_entrants

    with arena.database.reading() as session:
        selection = select(session, track, entrant)
        pending = production.find_pending(
            session, seed_key=arena.settings.seed_key(), **selection, order_again=order_again
        )
        left_out = None if order_again else production.count_left_out(session, **selection)
        has_entrants = bool(list_entrants(session))
        mixed = production.other_encodings(session, pending)
    if left_out is not None:
        _print_left_out(left_out)
    for sentence in mixed:
        err.print(f"Warning: {sentence}", style="yellow")
    available, absent = production.split_by_file(pending)
    if absent:
        production.forget_failures(arena.database, arena.store, [item for item, _ in absent])
        out.print(f"{pluralize(len(absent), 'clip')} without a file yet. The first: {absent[0][1]}")
        with arena.database.reading() as session:
            misnamed = production.misnamed_files(session, [item for item, _ in absent])
        for sentence in misnamed:
            out.print(sentence)
    budget = budget or Budget()
    keyless: dict[str, int] = {}
    if not budget.dry_run and ray is None:  # the environment of other machines is not known
        available, keyless = production.split_by_key(available)
    for reason, count in keyless.items():
        out.print(f"Left out {pluralize(count, 'clip')} of {reason}")
    missing = available[:limit]
    if not missing and keyless:
        raise ProductionError(_describe_keyless(keyless))
    if absent and not missing:
        return False
    if not missing:
        no_entrants = "There are no entrants yet. Next: `arena entrants add FILE`."
        out.print("No clips are missing." if has_entrants else no_entrants)
        return False
    missing = agree_on_bill(arena, missing, budget)
    has_new = False
    if missing:
        done = generate_pending(arena, missing, workers=workers, ray=ray)
        _print_added(done)
        if done.failed:
            raise ProductionError(done.describe_failures("see `arena failures`"))
        has_new = bool(done.added)
    if keyless:
        raise ProductionError(_describe_keyless(keyless))
    return has_new


def _describe_keyless(keyless: dict[str, int]) -> str:
    clips = pluralize(sum(keyless.values()), "clip")
    return f"{clips} cannot be ordered without a key. The first: {next(iter(keyless))}"


def _print_left_out(left_out: "LeftOut") -> None:
    if left_out.maybe_billed:
        out.print(
            f"Left out {pluralize(left_out.maybe_billed, 'clip')} whose order may have been "
            "billed; see `arena failures`. After checking with the server, use `arena generate "
            "--order-again`."
        )
    if left_out.refused:
        out.print(
            f"Left out {pluralize(left_out.refused, 'clip')} that their services refused; see "
            "`arena failures`. Use `arena generate --order-again` to ask once more."
        )


def generate_pending(
    arena: "Arena", pending: "list[PendingClip]", *, workers: int | None, ray: str | None = None
) -> "Produced":
    """Generate and store clips, with one progress bar per entrant."""
    from arena import production
    from arena.context import utc_now

    results = production.produce(
        arena.database, arena.store, pending, workers=workers, ray=ray, clock=utc_now
    )
    return _show_progress("Generating clips", results, [item.request for item in pending])


def make_honey_copies(arena: "Arena", *, track: str | None = None) -> None:
    """Make the damaged copies that honey pairs of this track, or of all, still lack."""
    from arena import production
    from arena.commands.progress import progress
    from arena.context import utc_now

    with arena.database.reading() as session:
        selection = select(session, track, None)
        shortages = production.find_missing_copies(session, track=selection["track"])
    total = sum(shortage.missing for shortage in shortages)
    if not total:
        return
    made = 0
    with progress("Making damaged copies for honey pairs", total) as advance:
        for added in production.make_copies(
            arena.database,
            arena.store,
            shortages,
            seed_key=arena.settings.seed_key(),
            clock=utc_now,
        ):
            made += added
            advance(added)
    out.print(f"Made damaged copies of {pluralize(made, 'clip')} for honey pairs.")


def rerender_clips(
    arena: "Arena",
    source: str,
    *,
    track: str,
    entrant: str | None,
    limit: int | None,
    workers: int | None,
    ray: str | None,
) -> None:
    """Render a track's missing clips from the masters of a track with other settings.

    Raises:
        ProductionError: the tracks differ in modality, or clips failed.
    """
    from arena import production
    from arena.catalog.tracks import find_track
    from arena.context import utc_now

    with arena.database.reading() as session:
        missing = production.find_pending(
            session, seed_key=arena.settings.seed_key(), **select(session, track, entrant)
        )
        target, master_track = (find_track(session, name) for name in (track, source))
        renderable = production.find_stored_masters(
            session, arena.store, missing, target=target, source=master_track
        )
    without_master, renderable = len(missing) - len(renderable), renderable[:limit]
    if not renderable:
        out.print(f"The track {source} has no masters of the clips that {track} is missing.")
        return
    results = production.produce(
        arena.database, arena.store, renderable, workers=workers, ray=ray, clock=utc_now
    )
    if without_master:
        out.print(
            f"{pluralize(without_master, 'missing clip')} without a master in {source}: "
            "use `arena generate` for the rest."
        )
    done = _show_progress("Rendering masters", results, [item.request for item in renderable])
    _print_added(done)
    if done.failed:
        raise ProductionError(done.describe_failures("they are still missing"))


@dataclass(frozen=True)
class Produced:
    """What became of the clips of one run."""

    added: int
    reasons: tuple[str, ...]  # of the failed clips
    missing: tuple[str, ...] = ()  # reasons of those that have no file yet

    @property
    def failed(self) -> int:
        return len(self.reasons)

    def describe_failures(self, hint: str) -> str:
        return f"{pluralize(self.failed, 'clip')} failed ({hint}). The first: {self.reasons[0]}"


def _print_added(done: Produced) -> None:
    out.print(f"Added {pluralize(done.added, 'clip')}.")
    if done.missing:
        clips, first = pluralize(len(done.missing), "clip"), done.missing[0]
        out.print(f"Still missing: {clips} without a file. The first: {first}")


def _show_progress(
    title: str,
    results: Iterator["GeneratedClip | FailedClip"],
    requests: list["ClipRequest"],
) -> Produced:
    """Show progress while clips are generated, and return what became of them."""
    from arena import production
    from arena.commands.progress import progress

    reasons: list[str] = []
    missing: list[str] = []
    # What a terminal or a log keeps bears no name that a codename hides.
    totals = Counter(_public_name(request) for request in requests)
    with progress(title, len(requests), totals) as advance:
        for result in results:
            if reason := production.failure_reason(result):
                (missing if production.is_missing(result) else reasons).append(reason)
            advance(note=_public_name(result.request))
    added = len(requests) - len(reasons) - len(missing)
    return Produced(added, tuple(reasons), tuple(missing))


def _public_name(request: "ClipRequest") -> str:
    return request.entrant.codename or request.entrant.name


def recheck_clips(
    arena: "Arena",
    count: int,
    *,
    track: str | None,
    entrant: str | None,
    workers: int | None,
    ray: str | None,
    budget: Budget | None = None,
) -> None:
    """Generate random clips again and show how they differ from the stored ones.

    Raises:
        ProductionError: some clips failed, or differ although the hardware is the same; or they
            would be paid for, and nobody has agreed to it.
    """
    from arena import production
    from arena.commands.progress import progress

    with arena.database.reading() as session:
        sample = production.sample_ready(session, count, **select(session, track, entrant))
    if not sample:
        out.print("No stored clip was generated here, so there is nothing to generate again.")
        return
    agreed = agree_on_bill(arena, [ready.pending for ready in sample], budget or Budget())
    sample = [ready for ready in sample if ready.pending in agreed]
    if not sample:
        return
    rows, different = [], 0
    with progress("Generating clips again", len(sample)) as advance:
        for result in production.recheck(arena.store, sample, workers=workers, ray=ray):
            request = result.ready.request
            different += not result.ok
            key = (_public_name(request), request.track.name, request.prompt_id, request.seed)
            rows.append((*key, "yes" if result.same_hardware else "no", result.summary()))
            advance(note=_public_name(request))
    columns = ("entrant", "track", "prompt", "seed", "same hardware", "compared with the first")
    show_table("Clips generated again", columns, rows)
    if different:
        raise ProductionError(
            f"{different} of {pluralize(len(rows), 'clip')} failed or differ although the "
            "hardware is the same."
        )
