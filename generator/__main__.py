"""`python -m generator`: make a clip, serve entrants, train and measure the built-in model."""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generator.errors import GeneratorError, SpecError

if TYPE_CHECKING:
    from generator.spec import TrackSettings

DEBUG = "--debug"

app = typer.Typer(
    help="Generate clips with an entrant, serve entrants, train the built-in model, measure clips.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _options(
    debug: Annotated[
        bool, typer.Option(DEBUG, help="Show a traceback where something fails.")
    ] = False,
) -> None:
    if debug:
        logging.basicConfig(level=logging.DEBUG)


@app.command()
def sample(
    entrant: Annotated[Path, typer.Argument(help="The entrant's TOML file.")],
    prompt: Annotated[str, typer.Argument(help="What to show.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the clip goes (.mp4).")],
    track: Annotated[
        str | None,
        typer.Option(help="A track's TOML file or shipped name; default the entrant's first."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives another clip.", min=0)] = 0,
    image: Annotated[
        Path | None, typer.Option(help="First image or source video, where the track needs one.")
    ] = None,
) -> None:
    """Make one clip with an entrant, as voters would get it."""
    from generator.clips import ClipRequest, FailedClip
    from generator.engine import check, generate
    from generator.spec import read_entrant

    spec = read_entrant(entrant)
    settings = _find_track(track or spec.tracks[0])
    _check_place(output, suffix=".mp4")
    if image is not None and settings.modality == "text-to-video":
        raise SpecError(f"The track {settings.name} begins with a text alone: leave --image out.")
    check(spec, settings)
    request = ClipRequest(
        spec, settings, prompt_id="sample", prompt=prompt, seed=seed, source=image
    )
    clip = next(generate([request], workers=0))
    if isinstance(clip, FailedClip):
        raise GeneratorError(clip.reason)
    output.write_bytes(clip.rendition)
    seconds = clip.provenance.seconds
    took = "" if seconds is None else f" in {seconds:.1f} s"
    typer.echo(f"{output}: {settings.duration_s:g} s at {settings.width}x{settings.height}{took}.")


@app.command()
def serve(
    entrants: Annotated[list[Path], typer.Argument(help="The entrants' TOML files.")],
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 is everywhere.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes a free one.", min=0)] = 8000,
    folder: Annotated[
        Path | None, typer.Option(help="Keeps finished videos over restarts; default none.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Videos made at once.", min=1)] = 1,
    queue: Annotated[int, typer.Option(help="Videos that may wait.", min=0)] = 16,
    keep: Annotated[int, typer.Option(help="Finished videos kept; the oldest go.", min=1)] = 64,
    keep_hours: Annotated[float, typer.Option(help="How long each is kept.", min=0.01)] = 24.0,
    max_upload: Annotated[int, typer.Option(help="Most MiB of a request.", min=1)] = 16,
    max_seconds: Annotated[float, typer.Option(help="Longest video.", min=0.1)] = 20.0,
    api_key_env: Annotated[
        str | None,
        typer.Option(help="Environment variable with the key that clients must send."),
    ] = None,
) -> None:
    """Offer entrants as the OpenAI Videos API, for the official client."""
    from generator.serve import ServeOptions
    from generator.serve import serve as serve_entrants
    from generator.spec import read_entrant

    specs = [read_entrant(path) for path in entrants]

    def tell(address: str) -> None:
        typer.echo(f"{', '.join(spec.slug for spec in specs)} at {address}; Ctrl-C stops.")

    options = ServeOptions(
        host=host,
        port=port,
        folder=folder,
        workers=workers,
        queue=queue,
        keep=keep,
        keep_hours=keep_hours,
        upload_mib=max_upload,
        max_seconds=max_seconds,
        api_key_env=api_key_env,
    )
    serve_entrants(specs, options, on_ready=tell)


@app.command()
def world(
    caption: Annotated[str, typer.Argument(help="A scene of the built-in model's world.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A clip (.mp4), or its first frame (.png).")
    ],
    seed: Annotated[int, typer.Option(help="Another seed gives another clip.", min=0)] = 0,
) -> None:
    """Render a true clip of the built-in model's world: a source for prompts, no entrant."""
    from generator.foal.world.ground_truth import write_ground_truth

    _check_place(output)
    write_ground_truth(caption, output, seed=seed)
    typer.echo(f"{output}: rendered, not generated.")


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="The training's TOML file.")],
    run: Annotated[
        Path | None, typer.Option(help="Where the training lives; default runs/NAME.")
    ] = None,
) -> None:
    """Train the built-in model, or go on with a training that was stopped."""
    from generator.foal.training.train import train_from_file

    train_from_file(config, run or Path("runs") / config.stem)


@app.command()
def measure(
    folder: Annotated[
        Path | None, typer.Argument(help="Holds prompts.csv and PROMPT_ID.mp4 files.")
    ] = None,
    oracle: Annotated[
        int, typer.Option(help="Measure so many of the world's own renders instead.", min=0)
    ] = 0,
    things: Annotated[
        int | None, typer.Option(help="Renders with so many things only.", min=1, max=3)
    ] = None,
) -> None:
    """Measure clips of the built-in world: prompt following, motion, sound on the hits."""
    from rich.console import Console

    from generator.foal.measures.measure_folder import (
        DecodedClip,
        as_table,
        measure_folder,
        measure_oracle,
    )
    from generator.media import decode

    if oracle:
        Console().print(as_table(measure_oracle(oracle, things=things)))
        return
    if folder is None:
        raise GeneratorError("Name a folder of clips, or --oracle N for the world's own renders.")

    def read_film(path: Path) -> DecodedClip:
        raw = decode(path)
        return DecodedClip(raw.frames, float(raw.fps), raw.audio, raw.sample_rate)

    Console().print(as_table(measure_folder(folder, read_film)))


@app.command()
def bench(
    config: Annotated[
        str, typer.Option(help="A shipped config, full or full-tiny, or a TOML file.")
    ] = "full",
    size: Annotated[str, typer.Option(help="One of the config's sizes, or all.")] = "all",
    precision: Annotated[str, typer.Option(help="bf16 or fp8.")] = "bf16",
    decoder: Annotated[
        str, typer.Option(help="One of the config's video decoders; default its first.")
    ] = "",
    device: Annotated[str, typer.Option(help="cuda or cpu.")] = "cuda",
    compiled: Annotated[
        bool | None, typer.Option("--compile/--no-compile", help="Default on a GPU only.")
    ] = None,
    runs: Annotated[int, typer.Option(help="Counted runs of every size.", min=1)] = 3,
    json: Annotated[Path | None, typer.Option(help="Where the figures go as JSON too.")] = None,
) -> None:
    """Time the full-size model with random weights, stage by stage."""
    from rich.console import Console

    from generator.fullsize.bench import Request
    from generator.fullsize.bench import bench as time_model

    if json is not None:
        _check_place(json)
    report = time_model(Request(config, size, precision, decoder, device, compiled, runs))
    Console().print(report.as_table())
    if json is not None:
        json.write_text(report.as_json() + "\n", encoding="utf-8")


def _find_track(name: str) -> "TrackSettings":
    from generator.spec import TrackSettings, read_track

    return read_track(Path(name)) if name.endswith(".toml") else TrackSettings.named(name)


def _check_place(output: Path, suffix: str | None = None) -> None:
    """A minute of generation is not to end at a folder that is not there."""
    if not output.parent.is_dir():
        raise GeneratorError(f"The folder {output.parent} does not exist; make it first.")
    if output.is_dir():
        raise GeneratorError(f"{output} is a folder; give the name of a file.")
    if suffix is not None and output.suffix.lower() != suffix:
        raise GeneratorError(f"{output} must end in {suffix}: that is what is written.")


def main() -> None:
    """Run a command; what went wrong is one line, with a traceback only on `--debug`."""
    debug = DEBUG in sys.argv
    # `python -m` has modules of the current folder imported, and a spec that lies there could name
    # one: what runs here is what is installed.
    if sys.path[0] == os.getcwd():
        del sys.path[0]
    try:
        app(args=[DEBUG] * debug + [word for word in sys.argv[1:] if word != DEBUG])
    except Exception as error:
        if debug:
            raise
        # The outermost place: what a model's training raises is said in one line as well.
        expected = isinstance(error, GeneratorError | ValueError | OSError | RuntimeError)
        told = str(error) if expected else f"unexpected {error!r}; {DEBUG} shows where"
        typer.echo(f"generator: {' '.join(told.split())}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
