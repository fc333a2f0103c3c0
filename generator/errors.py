"""The errors a user can meet.

GeneratorError
├── SpecError     an entrant or track file, or what it names, cannot be used
├── ClipError     a media file or a generated clip cannot become a rendition
└── BackendError  a model failed while it was loading or running
    └── RefusalError  a model would not make a clip, by its rules of content
"""


class GeneratorError(Exception):
    """One sentence: what is wrong, where, and what to do."""


class SpecError(GeneratorError):
    """An entrant or track file, or a model or folder that it names, cannot be used."""


class ClipError(GeneratorError):
    """A media file or generated frames cannot be made into a clip of the track."""


class BackendError(GeneratorError):
    """A model could not be loaded, or failed while it generated."""


class RefusalError(BackendError):
    """A model would not make a clip, or not show it, by its rules of content."""


def first_line(error: BaseException) -> str:
    """What an error says, as part of a sentence: its first line without the full stop."""
    try:
        told = str(error)
    except Exception:  # an error of a model's own code may have any method
        return ""
    return next(iter(told.splitlines()), "").strip().rstrip(".")
