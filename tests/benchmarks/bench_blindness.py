"""How well the bytes of served clips distinguish the models.

    python tests/benchmarks/bench_blindness.py ARENA_HOME [--track T] [--battles 400]

ARENA_HOME is a demo's, with masters of six entrants and, for the figures of the documentation, 24
prompts or more. It runs `arena audit blindness` over HTTP on a copy of it.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

from rich.console import Console

from arena.audit.blindness import audit_blindness
from arena.catalog.tracks import find_track
from arena.context import open_arena
from arena.settings import Settings


def main() -> None:
    out = Console(highlight=False, soft_wrap=True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--track", default="text-to-video-audio")
    parser.add_argument("--battles", type=int, default=400)
    options = parser.parse_args()
    arena = open_arena(Settings(home=options.home))
    with arena.database.reading() as session:
        track = find_track(session, options.track)
    started = time.perf_counter()
    report = audit_blindness(arena, track, battles=options.battles)
    seconds = time.perf_counter() - started
    out.print(
        f"{report.battles} battles, {report.clips} clips, {report.prompts} prompts, "
        f"{len(report.entrants)} entrants, {seconds:.0f} s"
    )
    out.print("| kind | features | mean score | highest | its interval | alarms |")
    out.print("| --- | --- | --- | --- | --- | --- |")
    groups = defaultdict(list)
    for finding in report.findings:
        groups[finding.kind.value, finding.group].append(finding)
    for (kind, group), findings in groups.items():
        highest = max((each.score for each in findings), key=lambda score: score.score)
        mean = sum(each.score.score for each in findings) / len(findings)
        out.print(
            f"| {kind} | {group} | {mean:.3f} | {highest.score:.3f} ({highest.entrant}) "
            f"| {highest.lower:.3f} to {highest.upper:.3f} | {sum(e.alarm for e in findings)} |"
        )


if __name__ == "__main__":
    main()
