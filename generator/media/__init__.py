"""Media in and out: what a file says of itself, safely, and clips as the files that voters get."""

from generator.media.decode import decode, decode_for_track
from generator.media.encode import encode_master, encode_rendition
from generator.media.fit import fit_to_track
from generator.media.probe import Limits, MediaInfo, probe

__all__ = [
    "Limits",
    "MediaInfo",
    "decode",
    "decode_for_track",
    "encode_master",
    "encode_rendition",
    "fit_to_track",
    "probe",
]
