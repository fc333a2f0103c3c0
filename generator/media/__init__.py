"""Read and write media files, and convert clips to the format of a track.

`probe` and `decode` read untrusted files within limits, `images` opens still images; `fit` converts
a clip to a track's format, `checks` and `watermark` reject clips that cannot be shown; `encode`
writes renditions and masters, with the help of `sound` and `mp4`. Imports only `generator.clips`,
`spec` and `errors`. Start with `encode`.
"""

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
