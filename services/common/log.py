"""Structured logs: one event with key=value fields per line, JSON or readable. Configured in ``main()`` only."""

import logging
import sys
from typing import Any, TextIO

import structlog

from services.common.config import LogConfig

_SECRET_NAMES = ("authorization", "token", "password", "secret", "plate")


def configure_logging(config: LogConfig, service: str = "", stream: TextIO | None = None) -> None:
    """Send all logs of this process, structlog's and the standard library's, to `stream` (standard error)."""
    stream = sys.stderr if stream is None else stream
    as_json = config.format == "json" or (config.format == "auto" and not stream.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    final: list[Any] = [structlog.processors.format_exc_info, renderer] if as_json else [renderer]
    level = getattr(logging, config.level.upper())
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)
    if service:
        structlog.contextvars.bind_contextvars(service=service)


def _hide_secrets(_logger: Any, _method: str, event: Any) -> Any:
    for name in event:
        if any(secret in name.lower() for secret in _SECRET_NAMES):
            event[name] = "***"
    return event
