"""`python -m generator`: generate clips, serve entrants, train and measure the built-in model."""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from generator.errors import GeneratorError, SpecError
from generator.printable import printable

if TYPE_CHECKING:
    from generator.spec import TrackSettings

DEBUG = "--debug"

app = typer.Typer(
    help="Generate clips, serve entrants over HTTP, train and measure the built-in model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # which would show flags as options that take a <bool>
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option(DEBUG, help="Show a traceback on errors.")] = False,
) -> None:
    if debug:
        logging.basicConfig(level=logging.DEBUG)


@app.command()
def sample(
    entrant: Annotated[Path, typer.Argument(metavar="ENTRANT.toml", help="The entrant's file.")],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What the clip should show.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.mp4", help="The file to write.")
    ],
    track: Annotated[
        str | None,
        typer.Option(
            metavar="TRACK",
            help="A shipped track's name or a track's TOML file. [default: the entrant's first]",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Each seed gives a different clip.", min=0)
    ] = 0,
    image: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="First image or source video, if the track needs one."),
    ] = None,
) -> None:
    """Generate one clip, as voters would see it."""
    from generator.clips import ClipRequest, FailedClip
    from generator.engine import check, generate
    from generator.spec import read_entrant

    spec = read_entrant(entrant)
    settings = _find_track(track or spec.tracks[0])
    _check_output(output, suffix=".mp4")
    if image is not None and settings.modality == "text-to-video":
        raise SpecError(f"The track {settings.name} uses text prompts only; remove --image.")
    check(spec, settings)
    request = ClipRequest(
        spec, settings, prompt_id="sample", prompt=prompt, seed=seed, source=image
    )
    clip = next(generate([request], workers=0))
    if isinstance(clip, FailedClip):
        raise GeneratorError(clip.reason)
    output.write_bytes(clip.rendition)
    seconds = clip.provenance.seconds
    time = "" if seconds is None else f", generated in {seconds:.1f} s"
    size = f"{settings.width}x{settings.height}"
    for warning in clip.provenance.warnings:
        typer.echo(printable(f"{spec.name}: {warning}."), err=True)
    typer.echo(printable(f"Wrote {output}: {settings.duration_s:g} s at {size}{time}."))


@app.command()
def serve(
    entrants: Annotated[
        list[Path], typer.Argument(metavar="ENTRANT.toml", help="The entrants' files.")
    ],
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="Address to listen on; 0.0.0.0 for all interfaces."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Port to listen on; 0 for any free port.", min=0)
    ] = 8000,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep finished videos here across restarts. [default: a temporary folder]",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(metavar="N", help="Videos to generate at once.", min=1)
    ] = 1,
    queue: Annotated[
        int, typer.Option(metavar="N", help="Maximum number of waiting videos.", min=0)
    ] = 16,
    keep: Annotated[
        int,
        typer.Option(metavar="N", help="Finished videos to keep; the oldest are deleted.", min=1),
    ] = 64,
    keep_hours: Annotated[
        float,
        typer.Option(metavar="HOURS", help="Delete finished videos after this time.", min=0.01),
    ] = 24.0,
    max_upload: Annotated[
        int, typer.Option(metavar="MIB", help="Maximum size of a request.", min=1)
    ] = 16,
    max_seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Maximum length of a video.", min=0.1)
    ] = 20.0,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Environment variable with the key that clients must send."
        ),
    ] = None,
) -> None:
    """Serve entrants over HTTP as the OpenAI Videos API."""
    from generator.serve import ServeOptions
    from generator.serve import serve as serve_entrants
    from generator.spec import assign_slugs, read_entrant

    specs = [read_entrant(path) for path in entrants]

    def report_ready(address: str) -> None:
        names = ", ".join(assign_slugs(specs))
        typer.echo(printable(f"Serving {names} at {address} (press Ctrl-C to stop)."))

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
    serve_entrants(specs, options, on_ready=report_ready)


@app.command()
def world(
    caption: Annotated[
        str, typer.Argument(metavar="CAPTION", help="A scene of the built-in model's world.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file to write: a clip (.mp4) or its first frame (.png).",
        ),
    ],
    seed: Annotated[
        int, typer.Option(metavar="N", help="Each seed gives a different clip.", min=0)
    ] = 0,
) -> None:
    """Render a scene without a model, as a source for prompts."""
    from generator.foal.world.ground_truth import write_ground_truth

    _check_output(output)
    write_ground_truth(caption, output, seed=seed)
    typer.echo(printable(f"Wrote {output}."))


@app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The training's settings.")],
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for checkpoints and samples. [default: runs/CONFIG]"
        ),
    ] = None,
) -> None:
    """Train the built-in model, or resume a training."""
    from generator.foal.training.train import train_from_file

    train_from_file(config, run or Path("runs") / config.stem)


@app.command()
def measure(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Has prompts.csv and the files PROMPT_ID.mp4."),
    ] = None,
    ground_truth: Annotated[
        int,
        typer.Option(metavar="N", help="Measure N ground-truth renders instead.", min=0),
    ] = 0,
    objects: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="With --ground-truth: only scenes with N objects.", min=1, max=3
        ),
    ] = None,
) -> None:
    """Measure prompt following, motion and sound sync."""
    from rich.console import Console

    from generator.foal.measures.measure_folder import (
        DecodedClip,
        as_table,
        measure_folder,
        measure_ground_truth,
    )
    from generator.media import decode

    if objects is not None and not ground_truth:
        raise GeneratorError("--objects selects among ground-truth renders: add --ground-truth N.")
    if ground_truth:
        Console().print(as_table(measure_ground_truth(ground_truth, objects=objects)))
        return
    if folder is None:
        raise GeneratorError("Give a folder of clips, or --ground-truth N.")

    def read_clip(path: Path) -> DecodedClip:
        raw = decode(path)
        return DecodedClip(raw.frames, float(raw.fps), raw.audio, raw.sample_rate)

    Console().print(as_table(measure_folder(folder, read_clip)))


@app.command()
def bench(
    config: Annotated[
        str, typer.Option(metavar="CONFIG", help="full, full-tiny, or a TOML file.")
    ] = "full",
    size: Annotated[
        str, typer.Option(metavar="SIZE", help="One of the config's sizes, or all.")
    ] = "all",
    precision: Annotated[str, typer.Option(metavar="TYPE", help="bf16 or fp8.")] = "bf16",
    decoder: Annotated[
        str,
        typer.Option(metavar="NAME", help="One of the config's decoders. [default: the first]"),
    ] = "",
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cuda or cpu.")] = "cuda",
    compiled: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="Use torch.compile. [default: on a GPU]"),
    ] = None,
    runs: Annotated[int, typer.Option(metavar="N", help="Timed runs of each size.", min=1)] = 3,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the results as JSON.")
    ] = None,
) -> None:
    """Time the full-size model with random weights."""
    from rich.console import Console

    from generator.fullsize.bench import Request
    from generator.fullsize.bench import bench as time_model

    if json is not None:
        _check_output(json)
    report = time_model(Request(config, size, precision, decoder, device, compiled, runs))
    Console().print(report.as_table())
    if json is not None:
        json.write_text(report.as_json() + "\n", encoding="utf-8")


def _find_track(name: str) -> "TrackSettings":
    from generator.spec import TrackSettings, read_track

    return read_track(Path(name)) if name.endswith(".toml") else TrackSettings.named(name)


def _check_output(output: Path, suffix: str | None = None) -> None:
    """Check the output path before the work starts."""
    if not output.parent.is_dir():
        raise GeneratorError(f"The folder {output.parent} does not exist; create it first.")
    if output.is_dir():
        raise GeneratorError(f"{output} is a folder; give a file name.")
    if suffix is not None and output.suffix.lower() != suffix:
        raise GeneratorError(f"{output} must end in {suffix}, the format that is written.")


def main() -> None:
    """Run a command; an error is one line on stderr, with a traceback only with `--debug`."""
    debug = DEBUG in sys.argv
    # `python -m` puts the current folder on the path. A spec could then name a module in it; only
    # installed code may run.
    if sys.path[0] == os.getcwd():
        del sys.path[0]
    try:
        app(args=[DEBUG] * debug + [word for word in sys.argv[1:] if word != DEBUG])
    except Exception as error:
        if debug:
            raise
        expected = isinstance(error, GeneratorError | ValueError | OSError | RuntimeError)
        message = str(error) if expected else f"Unexpected {error!r}; use {DEBUG} for a traceback."
        typer.echo(f"generator: {printable(' '.join(message.split()))}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
