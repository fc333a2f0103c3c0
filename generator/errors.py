"""The errors that are reported to the user.

GeneratorError
├── SpecError     an entrant or track file, or what it names, cannot be used
│   └── MissingKey    the environment has no key for an entrant's service
├── ClipError     a media file or a generated clip cannot become a rendition
│   └── MissingClip   the file of a clip is yet to come; nothing failed
└── BackendError  a model failed to load or to run
    ├── RefusalError  a model refused to make a clip, by its content policy
    └── OrderError    a server may have accepted an order, and may bill it, without a clip
        └── BilledRefusal   a refusal too
"""


class GeneratorError(Exception):
    """One sentence: what is wrong, where, and what to do."""


class SpecError(GeneratorError):
    """An entrant or track file, or a model or folder that it names, cannot be used."""


class MissingKey(SpecError):
    """The environment variable with the key for an entrant's service is not set."""


class ClipError(GeneratorError):
    """A media file or generated frames cannot become a clip of the track."""


class MissingClip(ClipError):
    """The file of a clip that is made elsewhere is not there yet."""


class BackendError(GeneratorError):
    """A model could not be loaded, or failed to generate."""


class RefusalError(BackendError):
    """A model refused to make or to return a clip, by its content policy."""


class OrderError(BackendError):
    """A server accepted an order, or may have, and its clip was not received.

    The order may have been billed, so it must not be repeated unless somebody asks for it.
    """


class BilledRefusal(RefusalError, OrderError):
    """A model refused to make a clip, and its server bills it like one."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message without its full stop, as part of a sentence."""
    try:
        message = str(error)
    except Exception:  # the code of a model may define any exception class
        return ""
    return next(iter(message.splitlines()), "").strip().rstrip(".")
