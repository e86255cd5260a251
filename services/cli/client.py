"""Calls to the running city, for commands: one sentence when something is wrong."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import click
import grpc

from services.common.channel import channel_to, open_channel
from services.common.config import Config
from services.common.endpoints import get_address
from services.common.errors import ServiceError
from services.common.rules import Role
from services.common.status import describe_error

T = TypeVar("T")
CALL_TIMEOUT_S = 60.0


class CityClient:
    """A command's way to the services.

    Parameters
    ----------
    config : Config
    role : Role, optional
        Act in this role; None = in one that may call the method.
    token : str, optional
        Send this token instead of the development one.
    """

    def __init__(self, config: Config, role: Role | None = None, token: str | None = None) -> None:
        self.config, self._role, self._token = config, role, token

    def call(self, service: str, stub: Callable[[grpc.aio.Channel], Any], method: str, request: Any) -> Any:
        """Answer of a unary method of `service` (ingest, journeys, rounds, signals)."""

        async def once(channel: grpc.aio.Channel) -> Any:
            return await getattr(stub(channel), method)(request, timeout=CALL_TIMEOUT_S)

        return self._run(service, once)

    def stream(
        self, service: str, stub: Callable[[grpc.aio.Channel], Any], method: str, request: Any, each: Callable[[Any], bool]
    ) -> None:
        """Give every message of a server stream to `each` until it returns False or the stream ends."""

        async def follow(channel: grpc.aio.Channel) -> None:
            messages: AsyncIterator[Any] = getattr(stub(channel), method)(request)
            async for message in messages:
                if not each(message):
                    break

        self._run(service, follow)

    def _run(self, service: str, work: Callable[[grpc.aio.Channel], Awaitable[T]]) -> T:
        async def within() -> T:
            async with self._channel(service) as channel:
                return await work(channel)

        try:
            return asyncio.run(within())
        except ServiceError as error:
            raise click.ClickException(str(error)) from None
        except grpc.RpcError as error:
            raise click.ClickException(describe_error(error)) from None

    def _channel(self, service: str) -> grpc.aio.Channel:
        # Said only where the user said it: otherwise the city that runs is meant, whichever it is.
        city = self.config.city if "TRABOULE_CITIES" in os.environ else ""
        if self._token is None:
            return channel_to(self.config, service, self._role, city)
        return open_channel(get_address(self.config, service), self._token, city=city)
