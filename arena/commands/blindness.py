"""The command `arena audit blindness`."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from arena.commands.options import TrackOption, open_configured_arena
from arena.commands.output import FormatOption, TableFormat, err, out, show_table

BATTLES = 400


def blindness(
    track: TrackOption = None,
    battles: Annotated[
        int, typer.Option("--battles", min=10, metavar="N", help="Battles to collect in a track.")
    ] = BATTLES,
    tolerance: Annotated[
        float,
        typer.Option(
            "--tolerance", min=0, max=0.5, help="How much an interval may start above chance."
        ),
    ] = 0.05,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Also write the reports to a JSON file."),
    ] = None,
    format: FormatOption = TableFormat.TABLE,
) -> None:
    """Measure whether what voters receive before the vote says which model made a clip.

    It serves a copy of the database on a free port of this machine; nothing is counted. The last
    report of each track is kept for releases.
    """
    from arena.audit.blindness import as_json, audit_blindness, auditable_tracks
    from arena.audit.blindness_reports import store_report
    from arena.catalog.tracks import find_track
    from arena.commands.progress import progress
    from arena.context import utc_now
    from arena.errors import AuditError
    from arena.files import atomic_write

    arena = open_configured_arena()
    with arena.database.reading() as session:
        tracks = [find_track(session, track)] if track else auditable_tracks(session)
    reports = []
    for each in tracks:
        with progress(f"Collecting battles of {each.name}", battles) as advance:
            reports.append(
                audit_blindness(
                    arena,
                    each,
                    battles=battles,
                    tolerance=tolerance,
                    on_battle=partial(advance, note=each.name),
                )
            )
    now = utc_now()
    values = [as_json(report, now=now) for report in reports]
    for value in values:
        store_report(arena.settings.home, value)
    if output is not None:
        with atomic_write(output) as draft:
            draft.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    columns = ("track", "kind", "group", "model", "score", "lower", "upper", "samples", "alarm")
    rows = [
        (
            *(report.track, finding.kind.value, finding.group, finding.score.entrant),
            *(f"{value:.3f}" for value in finding.score.interval),
            *(finding.score.samples, "alarm" if finding.alarm else ""),
        )
        for report in reports
        for finding in report.findings
    ]
    if format is TableFormat.JSON:
        typer.echo(json.dumps(values, indent=2))
    else:
        show_table("Blindness: 0.5 is chance", columns, rows, format)
    if format is TableFormat.TABLE:
        for report in reports:
            if report.caution is not None:
                err.print(report.caution)
    problems = [problem for report in reports for problem in report.problems]
    if problems:
        raise AuditError(" ".join(problems))
    if format is TableFormat.TABLE:
        out.print("Nothing that is served says more than chance, or than the pictures themselves.")
