"""From samples to a finished clip: fitted, measured, encoded, with its provenance."""

import hashlib
from pathlib import Path

import numpy as np

from generator.clips import (
    ClipRequest,
    GeneratedClip,
    Master,
    Provenance,
    RawClip,
    file_provenance,
)
from generator.measures import measure_clip
from generator.media import decode_for_track, encode_master, fit_to_track
from generator.media.checks import check_rendition, check_samples
from generator.media.encode import MASTER_SUFFIX, make_rendition
from generator.media.watermark import check_watermark


def render(raw: RawClip, request: ClipRequest, provenance: Provenance) -> GeneratedClip:
    """The clip that goes into battles, measured as voters will see and hear it.

    Raises:
        ClipError: The clip does not fit the request's track, or cannot be shown.
    """
    fitted, fitting = fit_to_track(raw, request.track)
    check_samples(raw, fitted.frames, request.track)
    check_watermark(fitted.frames, request)
    rendition = make_rendition(fitted, request.track)
    check_rendition(rendition.data, request.track)
    bare = request.rendition_only
    cost = provenance.cost_usd
    if cost is None:
        cost = request.entrant.cost_usd(request.track.duration_s)
    known = {
        "adapted": (*provenance.adapted, *fitting, *rendition.adapted),
        "cost_usd": cost,
        "frames_sha256": hashlib.sha256(np.ascontiguousarray(raw.frames).data).hexdigest(),
    }
    return GeneratedClip(
        request=request,
        master=None if bare else make_master(raw),
        rendition=rendition.data,
        provenance=provenance.model_copy(update=known),
        measures=None if bare else measure_clip(fitted, prompt=request.prompt),
    )


def make_master(raw: RawClip) -> Master:
    """The file as it came, or the samples without loss."""
    if raw.original is not None:
        return Master(raw.original, raw.original_suffix or MASTER_SUFFIX)
    return Master(encode_master(raw), MASTER_SUFFIX)


def import_clip(path: Path, request: ClipRequest) -> GeneratedClip:
    """The clip that a file made elsewhere becomes.

    Raises:
        ClipError: The file does not decode, or does not fit the request's track.
    """
    raw = decode_for_track(path, request.track)
    return render(raw, request, file_provenance(request, backend="import", file=path))
