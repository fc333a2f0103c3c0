"""From the model's output to a finished clip: fitted, checked, encoded, measured."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from generator.clips import (
    ClipFile,
    ClipRequest,
    FailedClip,
    GeneratedClip,
    Master,
    ModelOutput,
    Provenance,
    RawClip,
    file_provenance,
)
from generator.engine.failures import result_or_failure
from generator.measures import measure_clip
from generator.media import Limits, decode_for_track, encode_master, fit_to_track
from generator.media.buffers import each_frame
from generator.media.checks import check_rendition, check_samples
from generator.media.encode import ENCODING, MASTER_SUFFIX, make_rendition
from generator.media.watermark import check_watermark


def post_process(request: ClipRequest, output: ModelOutput) -> GeneratedClip | FailedClip:
    """The finished clip, or a failed one with its master, for the operator to look at.

    Raises:
        DeviceLost: the device can do no more work for this process.
    """
    made, provenance = output
    raw = result_or_failure(request, lambda: _samples(made, request))
    if isinstance(raw, FailedClip):
        return raw
    clip = result_or_failure(request, lambda: render(raw, request, provenance))
    if isinstance(clip, FailedClip):
        master = result_or_failure(request, lambda: make_master(raw))
        return clip if isinstance(master, FailedClip) else replace(clip, master=master)
    return clip


def _samples(made: RawClip | ClipFile, request: ClipRequest) -> RawClip:
    """What a model made, as samples; a service's file is not trusted."""
    if isinstance(made, RawClip):
        return made
    return decode_for_track(made.data, request.track, limits=Limits(file_bytes=made.max_bytes))


def render(raw: RawClip, request: ClipRequest, provenance: Provenance) -> GeneratedClip:
    """Fit a clip to its track and encode it; measure the frames and sound that voters get.

    Raises:
        ClipError: the clip does not fit the request's track, or cannot be shown.
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
        "encoding": ENCODING,
        "frames_sha256": _hash_frames(raw),
    }
    return GeneratedClip(
        request=request,
        master=None if bare else make_master(raw),
        rendition=rendition.data,
        provenance=provenance.model_copy(update=known),
        measures=None if bare else measure_clip(fitted, prompt=request.prompt),
    )


def _hash_frames(raw: RawClip) -> str:
    digest = hashlib.sha256()
    for frame in each_frame(raw.frames):
        digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()


def make_master(raw: RawClip) -> Master:
    """The original file if there is one, else the samples encoded without loss."""
    if raw.original is not None:
        return Master(raw.original, raw.original_suffix or MASTER_SUFFIX)
    return Master(encode_master(raw), MASTER_SUFFIX)


def import_clip(path: Path, request: ClipRequest) -> GeneratedClip:
    """Make a clip from a file that was generated elsewhere.

    Raises:
        ClipError: the file does not decode, or does not fit the request's track.
    """
    raw = decode_for_track(path, request.track)
    return render(raw, request, file_provenance(request, backend="import", file=path))
