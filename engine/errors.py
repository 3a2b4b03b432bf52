"""Errors a person can act on: each names what was wrong, where, and the remedy."""


class EngineError(Exception):
    """Base of all errors that are shown to people as they are.

    Attributes:
        what: the file, survey or value concerned, and the cause.
        remedy: what the person can do about it.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what
        self.remedy = remedy


class InvalidImageError(EngineError):
    """A file that cannot be used as a survey image; `code` is a `Refusal` value."""

    def __init__(self, code: str, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.code = code


class ArchiveError(EngineError):
    """A zip file that cannot be read at all."""


class TrackError(EngineError):
    """A GPX or CSV track that cannot be used."""


class NetworkFileError(EngineError):
    """A GIS file that cannot be used as a road network."""


class CheckpointError(EngineError):
    """A checkpoint file that is missing, damaged, or not of this software."""


class CalibrationError(EngineError):
    """A camera profile that cannot be used, or that cannot be found from a survey."""


class SettingsError(EngineError):
    """A setting or argument outside what makes sense."""


class DivergedError(EngineError):
    """A training whose loss is no number any more."""


class MissingLibraryError(EngineError):
    """A library of an optional extra that is not installed."""


class CancelledError(Exception):
    """Raised inside long work when its cancellation was asked for."""
