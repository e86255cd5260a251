"""Errors of the ingest service.

IngestError
├── FeedRejected      a body that may not be used at all: code and reason
├── UnknownKind       no adapter for a feed kind
└── FetchFailed       a poll that brought no body: code and reason
"""

from services.common.errors import ServiceError


class IngestError(ServiceError):
    """Root of the errors raised by `services.ingest`."""


class FeedRejected(IngestError):
    """A body is unusable as a whole; `code` is one of `services.ingest.codes.CODES`."""

    def __init__(self, code: str, message: str, where: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.where = where
        self.reason = message


class UnknownKind(IngestError):
    """There is no adapter for the kind of feed asked for."""


class FetchFailed(IngestError):
    """A poll brought no usable body; `code` says how it failed (`http_status`, `timeout`, `too_large`, …)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.reason = message
