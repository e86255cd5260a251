"""The client side: channels to the services, for the command line, the pages' backend and services that call others."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

from services.common.config import Config
from services.common.endpoints import get_address
from services.common.rules import PUBLIC, Role, find_rule, role_for
from services.common.tokens import issue_development_token
from services.common.tracing import outgoing_metadata

TokenSource = Callable[[str], str | None]
"""Token for a full method name, None to send none."""


def development_tokens(home: Path, role: Role | None = None) -> TokenSource:
    """Tokens of the development key: in the given role, or in one that may call the method."""
    issued: dict[Role, str] = {}

    def token(method: str) -> str | None:
        if find_rule(method) == PUBLIC:
            return None
        wanted = role or role_for(method)
        if wanted not in issued:
            issued[wanted] = issue_development_token(home, wanted)
        return issued[wanted]

    return token


def open_channel(
    address: str,
    token: TokenSource | str | None = None,
    *,
    ca_file: Path | None = None,
    city: str = "",
    max_message_bytes: int = 64 * 2**20,
) -> grpc.aio.Channel:
    """Channel to ``host:port``; sends the token, the city meant (if any) and the present trace with each call.

    TLS when `ca_file` is given.
    """
    options = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    source: TokenSource = token if callable(token) else lambda _method: token
    interceptors: Any = [cls(source, city) for cls in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]
    if ca_file is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    credentials = grpc.ssl_channel_credentials(ca_file.read_bytes())
    return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)


def channel_to(config: Config, service: str, role: Role | None = None, city: str = "") -> grpc.aio.Channel:
    """Channel to a service of the running city (``journeys``, ``rounds``, …) with development tokens.

    With `city` given, a server of another one refuses the calls.

    Raises
    ------
    Unavailable
        If the service does not run.
    """
    ca_file = config.tls.cert_file if config.tls.enabled else None
    tokens = development_tokens(config.home, role)
    return open_channel(get_address(config, service), tokens, ca_file=ca_file, city=city)


class _WithToken:
    def __init__(self, source: TokenSource, city: str) -> None:
        self._source, self._city = source, city

    def _details(self, details: Any) -> grpc.aio.ClientCallDetails:
        method = details.method.decode() if isinstance(details.method, bytes) else details.method
        added: list[tuple[str, str]] = outgoing_metadata()
        token = self._source(method)
        given: Sequence[tuple[str, Any]] = tuple(details.metadata or ())
        if token is not None and not any(name == "authorization" for name, _ in given):
            added.append(("authorization", f"Bearer {token}"))
        if self._city:
            added.append(("traboule-city", self._city))
        metadata = grpc.aio.Metadata(*given, *added)
        return grpc.aio.ClientCallDetails(
            details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
        )


class _UnaryUnary(_WithToken, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(self._details(client_call_details), request)


class _UnaryStream(_WithToken, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(self._details(client_call_details), request)


class _StreamUnary(_WithToken, grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[type-arg]
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(self._details(client_call_details), request_iterator)


class _StreamStream(_WithToken, grpc.aio.StreamStreamClientInterceptor):  # type: ignore[type-arg]
    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(self._details(client_call_details), request_iterator)
