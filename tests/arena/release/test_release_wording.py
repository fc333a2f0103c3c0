"""What an export and a verification print, and what a release says of itself, in good English."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from arena.release.documents import About, readme
from arena.release.export import ReleaseSummary
from arena.release.schema import TABLES
from arena.release.verify import VerifyReport

ONE_OF_EACH = About(
    tracks=("text-to-video",),
    rows={schema.name: 1 for schema in TABLES},
    voters=1,
    watermark=1,
    formats=("csv",),
    with_media=False,
    made_at=datetime(2026, 1, 1, tzinfo=UTC),
    version="1.0",
    title="Test",
    contact="",
    licence="",
)


def test_the_readme_of_a_release_with_one_voter_says_1_voter() -> None:
    assert "cast by 1 voter. " in readme(ONE_OF_EACH)


def test_an_export_of_one_of_each_is_summed_up_in_the_singular() -> None:
    assert str(ReleaseSummary(Path("out"), ONE_OF_EACH, files=1, bytes=1_000_000)) == (
        "out: 1 vote, 1 simulated vote, 1 answer to honey pairs, 1 skip, 1 model, 1 clip, "
        "1 leaderboard row, up to vote 1; 1 file, 1.0 MB."
    )


def test_clips_of_an_export_that_are_damaged_copies_are_counted() -> None:
    about = replace(ONE_OF_EACH, rows={**ONE_OF_EACH.rows, "clips": 264}, damaged_copies=13)
    summary = str(ReleaseSummary(Path("out"), about, files=1, bytes=1_000_000))
    assert "264 clips (of which 13 damaged for honey pairs)" in summary


def test_the_readme_of_a_release_joins_formats_by_and() -> None:
    both = replace(ONE_OF_EACH, formats=("parquet", "csv"))
    assert "available as parquet and csv, with the same content." in readme(both)
    assert "available as csv. " in readme(ONE_OF_EACH)


def test_a_verification_is_summed_up_in_singular_and_plural() -> None:
    one = VerifyReport(
        Path("out"), 1, ("csv",), votes=1, simulated=1, leaderboards=1,
        seals=1, claims=1, fingerprint="ab12", is_pinned=True,
    )  # fmt: skip
    assert str(one) == (
        "out verifies: 1 file with the right checksums; 1 vote and 1 simulated vote are in 1 "
        "signed seal; 1 claim checked; 1 leaderboard recomputed with the same result. Signed by "
        "the key ab12, as given."
    )
    many = VerifyReport(
        Path("out"), 9, ("parquet", "csv"), votes=1200, simulated=0, leaderboards=3,
        seals=2, claims=0, fingerprint="ab12", is_pinned=False,
    )  # fmt: skip
    assert str(many).startswith(
        "out verifies: 9 files with the right checksums; parquet and csv agree; 1,200 votes and 0 "
        "simulated votes are in 2 signed seals; 3 leaderboards recomputed with the same result. "
        "Signed by the key ab12, unpinned: "
    )
    assert "0 simulated votes, beside 23 answers to honey pairs and 5 skips, are in" in str(
        replace(many, honey=23, skips=5)
    )
