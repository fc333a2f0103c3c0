"""Resolve a client's request to an entrant and a video format: size, length, rate, sound, bytes."""

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
    SAMPLE_SIZE,
    Entrant,
    Modality,
    TrackSettings,
    assign_slugs,
    normalize_name,
)

MODALITIES: tuple[Modality, ...] = ("text-to-video", "image-to-video")
SIZE = re.compile(r"([0-9]{1,9})x([0-9]{1,9})")
MIN_SIDE = 16
MAX_PIXELS = 1920 * 1088  # per frame; a clip of larger frames would not fit most memories
# Interpolates between 256x256 at 800 kbit/s and 1280x720 at 8000: the rate is proportional to the
# number of pixels to this power.
REFERENCE_KBPS = 800
RATE_EXPONENT = 0.871
# File size that holds any clip at its rate: boxes and sound (docs/entrants.md).
BASE_BYTES, BYTES_A_FRAME = 2048, 24
SOUND_BYTES_A_FRAME, SOUND_FRAMES_A_SECOND, MORE_SOUND_FRAMES = 880, 46.9, 3
# Tolerance, in frames, for a length in seconds that was rounded down.
FRAME_TOLERANCE = Fraction(1, 100)


@dataclass(frozen=True)
class ResolvedRequest:
    """The entrant and the format of one video."""

    entrant: Entrant
    track: TrackSettings

    @property
    def size(self) -> str:
        """Width and height in the API's format."""
        return f"{self.track.width}x{self.track.height}"


class Catalog:
    """The served entrants, and the formats they can generate."""

    def __init__(self, entrants: Sequence[Entrant], *, max_seconds: float) -> None:
        """Add entrants.

        Raises:
            SpecError: Two have the same name or chosen slug, or one cannot generate videos from
                a prompt.
        """
        self.max_seconds = max_seconds
        self.entrants: dict[str, Entrant] = {}
        for slug, entrant in assign_slugs(entrants).items():
            if entrant.backend.kind == "folder":
                raise SpecError(
                    f"{entrant.name} is a folder of clips and cannot generate new ones; "
                    "serve entrants with another backend."
                )
            if not any(_audio_choices(entrant, modality) for modality in MODALITIES):
                raise SpecError(
                    f"{entrant.name} has the tracks {', '.join(entrant.tracks)}; to be served it "
                    f"needs one of {', '.join(MODALITIES)}, with or without {AUDIO_SUFFIX}."
                )
            self.entrants[slug] = entrant

    def slug_of(self, entrant: Entrant) -> str:
        """The slug under which an entrant is served."""
        return next(slug for slug, served in self.entrants.items() if served is entrant)

    def check(self) -> None:
        """Check that every entrant can run.

        Raises:
            SpecError: An entrant cannot run; the message says why.
        """
        for slug, entrant in self.entrants.items():
            for modality in MODALITIES:
                if _audio_choices(entrant, modality):
                    params = CreateVideo(model=slug, prompt="check")
                    check(entrant, self._track_settings(entrant, params, modality))

    def find(self, model: str | None) -> Entrant:
        """Return the entrant with a slug or name; None selects the only entrant.

        Raises:
            BadRequest: No entrant has this name, or none is named and there are several.
        """
        known = ", ".join(self.entrants)
        if model is None:
            if len(self.entrants) == 1:
                return next(iter(self.entrants.values()))
            raise BadRequest(f"model is missing; use one of {known}.", param="model")
        if model in self.entrants:
            return self.entrants[model]
        for entrant in self.entrants.values():
            if normalize_name(model) == entrant.name:
                return entrant
        raise BadRequest(
            f"Unknown model {model[:100]!r}; use one of {known}.",
            param="model",
            code="model_not_found",
        )

    def resolve(self, params: CreateVideo, *, with_image: bool) -> ResolvedRequest:
        """Resolve the parameters of a new video.

        Raises:
            BadRequest: The entrant or the server does not support a parameter's value.
        """
        entrant = self.find(params.model)
        modality: Modality = "image-to-video" if with_image else "text-to-video"
        if not _audio_choices(entrant, modality):
            problem = (
                "input_reference is not supported: the model generates videos from text only; "
                "remove it"
                if with_image
                else "input_reference is missing: the model needs a first image; send one"
            )
            raise BadRequest(f"{entrant.name}: {problem}.", param="input_reference")
        track = self._track_settings(entrant, params, modality)
        try:
            check(entrant, track)
        except GeneratorError as error:
            raise BadRequest(str(error)) from error
        return ResolvedRequest(entrant, track)

    def _track_settings(
        self, entrant: Entrant, params: CreateVideo, modality: Modality
    ) -> TrackSettings:
        width, height = _resolve_size(entrant, params.size)
        fps = params.fps or _model_fps(entrant)
        frames = self._frame_count(entrant, params, fps)
        audio = _resolve_audio(entrant, params.audio, modality)
        pixels = Fraction(width * height, SAMPLE_SIZE**2)
        kbps = math.ceil(REFERENCE_KBPS * float(pixels) ** RATE_EXPONENT * float(fps) / SAMPLE_FPS)
        seconds = frames / fps
        sound_frames = audio * (SOUND_FRAMES_A_SECOND * float(seconds) + MORE_SOUND_FRAMES)
        media_bytes = kbps * float(seconds) * 125 + sound_frames * SOUND_BYTES_A_FRAME
        return TrackSettings(
            name=modality + AUDIO_SUFFIX * audio,
            modality=modality,
            audio=audio,
            width=width,
            height=height,
            fps=fps,
            frames=frames,
            video_kbps=max(8, kbps),
            bytes=max(4096, BASE_BYTES + BYTES_A_FRAME * frames + math.ceil(media_bytes)),
        )

    def _frame_count(self, entrant: Entrant, params: CreateVideo, fps: Fraction) -> int:
        if params.seconds is None:
            seconds = Fraction(SAMPLE_FRAMES, SAMPLE_FPS)
        else:
            seconds = Fraction(params.seconds)
        if seconds > self.max_seconds:
            raise BadRequest(
                f"seconds is {float(seconds):g}; use {self.max_seconds:g} or fewer with "
                f"{entrant.name}.",
                param="seconds",
            )
        return max(1, math.ceil(seconds * fps - FRAME_TOLERANCE))


def _audio_choices(entrant: Entrant, modality: Modality) -> tuple[bool, ...]:
    """Return whether the entrant has tracks with sound (first), without sound, or both."""
    names = {True: modality + AUDIO_SUFFIX, False: modality}
    return tuple(audio for audio, name in names.items() if name in entrant.tracks)


def _resolve_audio(entrant: Entrant, audio: bool | None, modality: Modality) -> bool:
    choices = _audio_choices(entrant, modality)
    if audio and True not in choices:
        raise BadRequest(
            f"{entrant.name} generates no sound; remove audio or set it to false.", param="audio"
        )
    # Sound can always be omitted.
    return choices[0] if audio is None else audio


def _resolve_size(entrant: Entrant, size: str | None) -> tuple[int, int]:
    if size is None:
        call: Mapping[str, Any] = entrant.backend.call
        sides = call.get("width"), call.get("height")
        width, height = (side if isinstance(side, int) else SAMPLE_SIZE for side in sides)
        return width, height
    match = SIZE.fullmatch(size)
    if match is None:
        raise BadRequest(
            f"size is {size[:40]!r}; write width x height such as 1280x720.", param="size"
        )
    width, height = int(match[1]), int(match[2])
    if min(width, height) < MIN_SIDE or width % 2 or height % 2 or width * height > MAX_PIXELS:
        raise BadRequest(
            f"size is {size}; both sides must be even and at least {MIN_SIDE}, with at most "
            f"{MAX_PIXELS} pixels in total.",
            param="size",
        )
    return width, height


def _model_fps(entrant: Entrant) -> Fraction:
    """Return the model's frame rate from its spec, or a default."""
    value = entrant.backend.options.get("fps", SAMPLE_FPS)
    try:
        return Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        return Fraction(SAMPLE_FPS)  # the entrant's check reports the invalid value
