"""Production statistics: figures with intervals, failure rates, and what codenames hide."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from arena.catalog.entrants import find_entrant
from arena.catalog.tracks import find_track
from arena.database import Database
from arena.models import Clip, ClipStatus, Entrant
from arena.standings.production_stats import ProductionStats, production_stats
from small_arena import NAMES, PROMPTS, START, TRACK


def records(database: Database, now: datetime = START) -> dict[str, ProductionStats]:
    with database.reading() as session:
        found = production_stats(session, find_track(session, TRACK), now=now)
    return {record.model: record for record in found}


def set_provenance(database: Database, entrant: str, **values: object) -> None:
    """Set provenance values of an entrant's clips; a list has one value per clip."""
    with database.writing() as session:
        query = select(Clip).join(Entrant).where(Entrant.name == entrant).order_by(Clip.id)
        for number, clip in enumerate(session.scalars(query)):
            clip.provenance = {
                name: value[number % len(value)] if isinstance(value, list) else value
                for name, value in values.items()
            }


def add_clip(session: Session, seed: int, **values: object) -> None:
    """Add a clip by Alder of the first prompt with another seed."""
    session.add(
        Clip(
            entrant_id=find_entrant(session, "Alder").id,
            track_id=find_track(session, TRACK).id,
            prompt_id=PROMPTS[0],
            seed=seed,
            created_at=START,
            **values,
        )
    )


def test_entrants_without_measurements_are_listed(
    arena_database: Database,
) -> None:
    found = records(arena_database)
    assert list(found) == list(NAMES)
    assert {record.clips for record in found.values()} == {len(PROMPTS)}
    assert {record.seconds for record in found.values()} == {None}
    assert {record.failed for record in found.values()} == {0}


def test_figures_summarise_the_clips(arena_database: Database) -> None:
    set_provenance(
        arena_database,
        "Alder",
        seconds=[2.0, 4.0, 8.0, 4.0],
        peak_memory_bytes=[1e9, 3e9, 2e9, 1e9],
        cost_usd=0.002,
        hardware="one GPU",
    )
    record = records(arena_database)["Alder"]
    assert record.seconds is not None
    assert (record.seconds.value, record.seconds.clips) == (4.0, len(PROMPTS))
    assert record.peak_memory_bytes == 3_000_000_000
    assert record.cost_per_minute_usd is not None
    assert abs(record.cost_per_minute_usd.value - 0.12) < 1e-9  # clips of one second
    assert record.gpu_seconds is None
    assert record.hardware == ("one GPU",)


def test_failure_rates_have_intervals_and_four_times_have_none(
    arena_database: Database,
) -> None:
    with arena_database.writing() as session:
        for seed in range(1, 200):
            add_clip(session, seed, status=ClipStatus.FAILED, failure="broke")
    set_provenance(arena_database, "Alder", seconds=[1.0 + number / 10 for number in range(40)])
    record = records(arena_database)["Alder"]
    assert record.failed == 199
    rate = record.failure_rate
    assert rate.lower is not None
    assert rate.upper is not None
    assert rate.lower < rate.value == 199 / 203 < rate.upper < 1
    assert record.seconds is not None
    assert record.seconds.clips == len(PROMPTS)  # what failed took no time that counts
    assert record.seconds.lower is None  # four clips are too few for an interval


def test_refusals_are_counted_apart_from_failures(
    arena_database: Database,
) -> None:
    with arena_database.writing() as session:
        query = select(Clip).join(Entrant).where(Entrant.name == "Alder").order_by(Clip.id)
        for number, clip in enumerate(session.scalars(query).all()[:3]):
            clip.status, clip.rendition_path, clip.sha256 = ClipStatus.FAILED, None, None
            clip.failure, clip.refused = "not allowed", number > 0
    record = records(arena_database)["Alder"]
    assert (record.failed, record.refused, record.clips) == (1, 2, len(PROMPTS))
    assert record.refusal_rate.value == 2 * record.failure_rate.value == 2 / len(PROMPTS)


def test_a_codename_hides_price_memory_and_hardware(arena_database: Database) -> None:
    values = {"seconds": 1.0, "cost_usd": 0.1, "hardware": "a rare card", "peak_memory_bytes": 7e9}
    set_provenance(arena_database, "Birch", **values)
    with arena_database.writing() as session:
        find_entrant(session, "Birch").codename = "Lantern"
    record = records(arena_database)["Lantern"]
    assert record.seconds is not None
    assert (record.cost_per_minute_usd, record.hardware) == (None, ())
    assert record.peak_memory_bytes is None


def test_values_that_are_not_finite_numbers_are_ignored(arena_database: Database) -> None:
    odd = [float("nan"), "abc", 3.0, [1]]
    set_provenance(arena_database, "Alder", seconds=odd, gpu_seconds=[float("inf"), -1.0, None])
    record = records(arena_database)["Alder"]
    assert record.seconds is not None
    assert (record.seconds.value, record.seconds.clips) == (3.0, 1)


def test_waiting_at_a_service_is_of_the_last_14_days(arena_database: Database) -> None:
    old, new = (START - timedelta(days=days) for days in (15, 13))
    set_provenance(
        arena_database,
        "Alder",
        order_seconds=[100.0, 10.0, 12.0, 14.0],
        queue_seconds=[50.0, 1.0, None, 3.0],
        created_at=[old.isoformat(), *[new.isoformat()] * 3],
    )
    record = records(arena_database)["Alder"]
    assert record.order_seconds is not None
    assert (record.order_seconds.value, record.order_seconds.clips) == (12.0, 3)
    assert record.queue_seconds is not None
    assert (record.queue_seconds.value, record.queue_seconds.clips) == (2.0, 2)
    later = records(arena_database, START + timedelta(days=2))["Alder"]
    assert (later.order_seconds, later.queue_seconds) == (None, None)


def test_the_interval_of_a_wait_is_between_order_statistics(arena_database: Database) -> None:
    with arena_database.writing() as session:
        for number in range(1, 21):
            add_clip(
                *(session, number),
                status=ClipStatus.READY,
                rendition_path=f"renditions/{number}",
                sha256="0" * 64,
                provenance={"order_seconds": number, "created_at": START.isoformat()},
            )
    figure = records(arena_database)["Alder"].order_seconds
    assert figure is not None
    # Of 20 measurements the 6th and the 15th enclose the median with 95.9% (binomial).
    assert (figure.value, figure.lower, figure.upper, figure.clips) == (10.5, 6.0, 15.0, 20)


def test_a_codename_hides_that_it_is_a_service(arena_database: Database) -> None:
    set_provenance(
        arena_database, "Birch", order_seconds=9.0, queue_seconds=1.0, created_at=START.isoformat()
    )
    with arena_database.writing() as session:
        find_entrant(session, "Birch").codename = "Lantern"
    record = records(arena_database)["Lantern"]
    assert (record.order_seconds, record.queue_seconds) == (None, None)
