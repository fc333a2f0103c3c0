"""What an entrant is asked for when a client asks for a video: size, length, rate, sound, bytes."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from generator.engine import check
from generator.errors import GeneratorError, SpecError
from generator.serve.errors import BadRequest
from generator.serve.schemas import CreateVideo
from generator.spec import (
    AUDIO_SUFFIX,
    SAMPLE_FPS,
    SAMPLE_FRAMES,
    SAMPLE_KBPS,
    SAMPLE_SIZE,
    Entrant,
    Modality,
    TrackSettings,
)

MODALITIES: tuple[Modality, ...] = ("text-to-video", "image-to-video")
SIZE = re.compile(r"([0-9]{1,9})x([0-9]{1,9})")
MIN_SIDE = 16
MAX_PIXELS = 1920 * 1088  # one picture; more than a clip's frames would fit into most memories
# Between 256x256 at 800 kbit/s and 1280x720 at 8000, the rates of the tracks that are shipped, a
# rate that grows with the pixels to this power meets both.
RATE_EXPONENT = 0.871
# Bytes that hold any clip at its rate: the encoder's buffer, sound, boxes (docs/entrants.md).
BUFFER_S = 0.45
AUDIO_KBPS = 140
BYTES_A_FRAME = 100
# A length in seconds that was rounded may miss its last frame by this much of one.
FRAME_TOLERANCE = Fraction(1, 100)


@dataclass(frozen=True)
class ResolvedRequest:
    """The entrant and the settings of one video."""

    entrant: Entrant
    track: TrackSettings

    @property
    def size(self) -> str:
        """Width and height as the API writes them."""
        return f"{self.track.width}x{self.track.height}"


class Catalog:
    """The entrants that are offered, and what they can be asked for."""

    def __init__(self, entrants: Sequence[Entrant], *, max_seconds: float) -> None:
        """Take entrants in.

        Raises:
            SpecError: Two have one name, or one cannot make videos of a prompt.
        """
        self.max_seconds = max_seconds
        self.entrants: dict[str, Entrant] = {}
        for entrant in entrants:
            if entrant.slug in self.entrants:
                raise SpecError(f"Two entrants are called {entrant.slug}; rename one.")
            if entrant.backend.kind == "folder":
                raise SpecError(
                    f"{entrant.name} is a folder of clips and makes none of a new prompt; "
                    "serve entrants of another kind."
                )
            if not any(_audio_choices(entrant, modality) for modality in MODALITIES):
                raise SpecError(
                    f"{entrant.name} competes in {', '.join(entrant.tracks)}; to be served it "
                    f"needs one of {', '.join(MODALITIES)}, with or without {AUDIO_SUFFIX}."
                )
            self.entrants[entrant.slug] = entrant

    def check(self) -> None:
        """Refuse entrants that cannot run, before anything is served.

        Raises:
            SpecError: naming the entrant, and why.
        """
        for slug, entrant in self.entrants.items():
            for modality in MODALITIES:
                if _audio_choices(entrant, modality):
                    asked = CreateVideo(model=slug, prompt="check")
                    check(entrant, self._track_settings(entrant, asked, modality))

    def find(self, model: str | None) -> Entrant:
        """The entrant of a slug or name; without one the only entrant there is.

        Raises:
            BadRequest: There is no such entrant, or several and none is named.
        """
        known = ", ".join(self.entrants)
        if model is None:
            if len(self.entrants) == 1:
                return next(iter(self.entrants.values()))
            raise BadRequest(f"model is missing; give one of {known}.", param="model")
        for slug, entrant in self.entrants.items():
            if model in (slug, entrant.name):
                return entrant
        raise BadRequest(
            f"There is no model {model[:100]!r} here; use one of {known}.",
            param="model",
            code="model_not_found",
        )

    def resolve(self, asked: CreateVideo, *, with_image: bool) -> ResolvedRequest:
        """What the entrant is to make.

        Raises:
            BadRequest: A parameter asks for what the entrant or the server does not make.
        """
        entrant = self.find(asked.model)
        modality: Modality = "image-to-video" if with_image else "text-to-video"
        if not _audio_choices(entrant, modality):
            told = (
                "input_reference cannot be used: it makes videos of texts alone; leave it out"
                if with_image
                else "input_reference is missing: it makes videos of a first image; give one"
            )
            raise BadRequest(f"{entrant.name}: {told}.", param="input_reference")
        track = self._track_settings(entrant, asked, modality)
        try:
            check(entrant, track)
        except GeneratorError as error:
            raise BadRequest(str(error)) from error
        return ResolvedRequest(entrant, track)

    def _track_settings(
        self, entrant: Entrant, asked: CreateVideo, modality: Modality
    ) -> TrackSettings:
        width, height = _size(entrant, asked.size)
        fps = asked.fps or _model_fps(entrant)
        frames = self._frames(entrant, asked, fps)
        audio = _audio(entrant, asked.audio, modality)
        pixels = Fraction(width * height, SAMPLE_SIZE**2)
        kbps = math.ceil(SAMPLE_KBPS * float(pixels) ** RATE_EXPONENT * float(fps) / SAMPLE_FPS)
        seconds = frames / fps
        kilobits = kbps * (float(seconds) + BUFFER_S) + audio * AUDIO_KBPS * float(seconds)
        return TrackSettings(
            name=modality + AUDIO_SUFFIX * audio,
            modality=modality,
            audio=audio,
            width=width,
            height=height,
            fps=fps,
            frames=frames,
            video_kbps=max(8, kbps),
            bytes=max(4096, math.ceil(kilobits * 125) + BYTES_A_FRAME * frames),
        )

    def _frames(self, entrant: Entrant, asked: CreateVideo, fps: Fraction) -> int:
        if asked.seconds is None:
            seconds = Fraction(SAMPLE_FRAMES, SAMPLE_FPS)
        else:
            seconds = Fraction(asked.seconds)
        if seconds > self.max_seconds:
            raise BadRequest(
                f"seconds is {float(seconds):g}; ask {entrant.name} for "
                f"{self.max_seconds:g} or fewer.",
                param="seconds",
            )
        return max(1, math.ceil(seconds * fps - FRAME_TOLERANCE))


def _audio_choices(entrant: Entrant, modality: Modality) -> tuple[bool, ...]:
    """With sound, without, or both, as the entrant competes; with sound first."""
    names = {True: modality + AUDIO_SUFFIX, False: modality}
    return tuple(audio for audio, name in names.items() if name in entrant.tracks)


def _audio(entrant: Entrant, asked: bool | None, modality: Modality) -> bool:
    possible = _audio_choices(entrant, modality)
    if asked and True not in possible:
        raise BadRequest(f"{entrant.name} makes no sound; leave audio out or false.", param="audio")
    # Sound can always be left away.
    return possible[0] if asked is None else asked


def _size(entrant: Entrant, asked: str | None) -> tuple[int, int]:
    if asked is None:
        call: Mapping[str, Any] = entrant.backend.call
        sides = call.get("width"), call.get("height")
        width, height = (side if isinstance(side, int) else SAMPLE_SIZE for side in sides)
        return width, height
    match = SIZE.fullmatch(asked)
    if match is None:
        raise BadRequest(
            f"size is {asked[:40]!r}; write width x height such as 1280x720.", param="size"
        )
    width, height = int(match[1]), int(match[2])
    if min(width, height) < MIN_SIDE or width % 2 or height % 2 or width * height > MAX_PIXELS:
        raise BadRequest(
            f"size is {asked}; each side is even and {MIN_SIDE} or more, "
            f"both together {MAX_PIXELS} pixels or fewer.",
            param="size",
        )
    return width, height


def _model_fps(entrant: Entrant) -> Fraction:
    """The rate of the frames that the model makes, where its spec says it."""
    written = entrant.backend.options.get("fps", SAMPLE_FPS)
    try:
        return Fraction(str(written))
    except (ValueError, ZeroDivisionError):
        return Fraction(SAMPLE_FPS)  # the entrant's own check tells what is wrong with it
