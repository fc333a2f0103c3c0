"""Generation of 1,000 clips, killed ten times at random: is a clip lost or made twice?

Run: python tests/benchmarks/bench_killed_generation.py [CLIPS] [KILLS]
"""

import hashlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from rich.console import Console

from arena.models import Clip
from killed import generate_and_kill, make_arena_of_films

ENTRANTS = 10


def main() -> None:
    clips, kills = (int(word) for word in (*sys.argv[1:], "1000", "10")[:2])
    out = Console()
    with tempfile.TemporaryDirectory() as folder:
        prompts = clips // ENTRANTS
        arena = make_arena_of_films(Path(folder), entrants=ENTRANTS, prompts=prompts)
        counts = list(generate_and_kill(arena, kills=kills, seed=1))
        with arena.database.reading() as session:
            rows = session.query(Clip).all()
            keys = {(row.entrant_id, row.track_id, row.prompt_id, row.seed) for row in rows}
            intact = sum(
                hashlib.sha256(arena.store.read(str(row.rendition_path))).hexdigest() == row.sha256
                for row in rows
            )
        media = arena.settings.home / "media"
        files = sum(path.is_file() for path in media.rglob("*") if path.suffix != ".draft")
    out.print(f"clips after each run: {counts}")
    out.print(f"{len(rows)} clips, {len(keys)} different, {intact} intact; requested {clips}")
    out.print(f"{files - 2 * len(rows)} files of clips in progress when a run was killed")


if __name__ == "__main__":
    main()
