"""How the programs log: one JSON object a line on standard error, or coloured text on a terminal.

Called once by each entry point, before anything logs. Secrets are never logged; the last
processor drops the values of keys that name one, as a second line of defence.
"""

from __future__ import annotations

import logging
import sys

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRET_KEYS = frozenset({"token", "secret", "password", "key_pem", "authorization"})


def configure(program: str, level: str = "info") -> None:
    """Set up structlog for this process.

    program: put on every line, "control". level: debug, info, warning or error.
    Raises ValueError for another level.
    """
    if level not in ("debug", "info", "warning", "error"):
        raise ValueError(f'log level "{level}" is not one of debug, info, warning, error')
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_secrets,
    ]
    if sys.stderr.isatty():
        processors += [structlog.dev.ConsoleRenderer()]
        factory: structlog.typing.WrappedLogger = structlog.PrintLoggerFactory(sys.stderr)
    else:
        processors += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ]
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(program=program)


def _without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in _SECRET_KEYS & event.keys():
        event[key] = "(hidden)"
    return event
