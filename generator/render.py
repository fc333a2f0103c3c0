"""From samples to a finished clip: fitted, measured, encoded, with its provenance."""

import hashlib
from pathlib import Path

import numpy as np

from generator.backends.folder import MARGIN_S, file_provenance
from generator.measure import measure_clip
from generator.media import decode, encode_master, fit_to_track
from generator.media.encode import MASTER_SUFFIX, make_rendition
from generator.spec import ClipRequest, GeneratedClip, Provenance, RawClip

SECONDS_A_MINUTE = 60


def render(raw: RawClip, request: ClipRequest, provenance: Provenance) -> GeneratedClip:
    """The clip that goes into battles, measured as voters will see and hear it.

    The master is the file as it came, or the samples without loss.

    Raises:
        ClipError: The clip does not fit the request's track.
    """
    fitted, fitting = fit_to_track(raw, request.track)
    rendition = make_rendition(fitted, request.track)
    price = request.entrant.price_usd_per_minute
    known = {
        "adapted": (*provenance.adapted, *fitting, *rendition.adapted),
        "price_usd": None if price is None else price * request.track.duration_s / SECONDS_A_MINUTE,
        "frames_sha256": hashlib.sha256(np.ascontiguousarray(raw.frames).data).hexdigest(),
    }
    return GeneratedClip(
        request=request,
        master=encode_master(raw) if raw.original is None else raw.original,
        master_suffix=raw.original_suffix or MASTER_SUFFIX,
        rendition=rendition.data,
        provenance=provenance.model_copy(update=known),
        measures=measure_clip(fitted, prompt=request.prompt),
    )


def adopt(path: Path, request: ClipRequest) -> GeneratedClip:
    """The clip that a file made elsewhere becomes.

    Raises:
        ClipError: The file does not decode, or does not fit the request's track.
    """
    raw = decode(path, until_s=request.track.duration_s + MARGIN_S)
    return render(raw, request, file_provenance(request, backend="import", file=path))
