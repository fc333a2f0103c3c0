"""The errors a user can meet.

GeneratorError
├── SpecError     an entrant or track file, or what it names, cannot be used
├── ClipError     a media file or a generated clip cannot become a rendition
└── BackendError  a model failed while it was loading or running
"""


class GeneratorError(Exception):
    """One sentence: what is wrong, where, and what to do."""


class SpecError(GeneratorError):
    """An entrant or track file, or a model or folder that it names, cannot be used."""


class ClipError(GeneratorError):
    """A media file or generated frames cannot be made into a clip of the track."""


class BackendError(GeneratorError):
    """A model could not be loaded, or failed while it generated."""
