"""Choose the video and the sound of a file, as a player does: by the tags of its streams."""

from typing import TypeVar

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from generator.errors import ClipError

# Pictures that belong to a file and are not its video.
_STILL = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# Sound for some listeners only.
_SPECIAL = (
    Disposition.comment
    | Disposition.descriptions
    | Disposition.visual_impaired
    | Disposition.hearing_impaired
    | Disposition.karaoke
    | Disposition.lyrics
    | Disposition.dependent
)

AnyStream = TypeVar("AnyStream", VideoStream, AudioStream)


def choose_video(name: str, container: InputContainer) -> tuple[VideoStream, tuple[str, ...]]:
    """Return a file's video stream, and a description of the choice if there was one.

    Pictures such as a cover are not video. Of several streams the one marked as default is chosen,
    else the first.

    Raises:
        ClipError: The file has no video stream.
    """
    streams = container.streams.video
    videos = [stream for stream in streams if not stream.disposition & _STILL]
    if not videos:
        reason = "has a cover picture but no video" if streams else "has no video"
        raise ClipError(f"{name} {reason}; use a video file.")
    notes = ["left out its cover picture"] if len(streams) > len(videos) else []
    best = _preferred(videos)[0]
    if len(videos) > 1:
        notes.append(f"took video stream {videos.index(best) + 1} of {len(videos)}")
    return best, tuple(notes)


def sound_candidates(container: InputContainer) -> list[AudioStream]:
    """Return the sound streams that a player may choose, the most likely one first.

    More than one means that none is marked, or several are: the first that is not silent is heard.
    """
    streams = list(container.streams.audio)
    return _preferred([each for each in streams if not each.disposition & _SPECIAL] or streams)


def _preferred(streams: list[AnyStream]) -> list[AnyStream]:
    return [each for each in streams if each.disposition & Disposition.default] or streams
