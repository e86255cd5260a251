"""Servicers that are exchanged while a server runs: a call is answered, from start to end, by the one that is current.

Calls that stream answers for ever (watches) can be asked anew of the next servicer when it takes over: their caller gets the
whole state again, as at the beginning, and then changes.
"""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_END = object()


class Current(Generic[T]):
    """A value that is exchanged; `moved` of a value that was taken is set when another has taken its place."""

    def __init__(self, value: T) -> None:
        self._value, self._moved = value, asyncio.Event()

    def take(self) -> T:
        """The value now."""
        return self._value

    def take_watched(self) -> tuple[T, asyncio.Event]:
        """The value now, and an event that is set when there is another."""
        return self._value, self._moved

    def swap(self, value: T) -> None:
        """Put another value in its place."""
        self._value, moved = value, self._moved
        self._moved = asyncio.Event()
        moved.set()


def forwarding(base: Any, current: Current[Any], attribute: str, *, restart: bool = True) -> Any:
    """Servicer of the contract `base` that hands each call to ``getattr(current.take(), attribute)``.

    Parameters
    ----------
    base : type
        Generated servicer class; methods that the present servicer writes as asynchronous generators stream.
    current : Current
    attribute : str
        Name under which every value of `current` has its servicer.
    restart : bool
        Whether streams are asked anew of the next servicer; else the one that began them goes on to their end.
    """
    example = type(getattr(current.take(), attribute))
    methods: dict[str, Any] = {}
    for name in (name for name in vars(base) if not name.startswith("_")):
        if inspect.isasyncgenfunction(getattr(example, name)):
            methods[name] = _stream(current, attribute, name, restart)
        else:
            methods[name] = _call(current, attribute, name)
    return type(f"Current{base.__name__}", (base,), methods)()


def _call(current: Current[Any], attribute: str, name: str) -> Any:
    async def call(self: Any, request: Any, context: Any) -> Any:  # noqa: ARG001
        return await getattr(getattr(current.take(), attribute), name)(request, context)

    return call


def _stream(current: Current[Any], attribute: str, name: str, restart: bool) -> Any:
    async def stream(self: Any, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ARG001
        while True:
            city, moved = current.take_watched()
            messages = getattr(getattr(city, attribute), name)(request, context)
            del city
            async with contextlib.aclosing(_until(messages, moved) if restart else messages) as some:
                async for message in some:
                    yield message
            if not (restart and moved.is_set()):
                return

    return stream


async def _until(messages: AsyncGenerator[Any, None], moved: asyncio.Event) -> AsyncGenerator[Any, None]:
    """Messages until their end, or until `moved`; the rest is cancelled."""
    waiting = asyncio.ensure_future(moved.wait())
    following: asyncio.Future[Any] | None = None
    try:
        while True:
            following = asyncio.ensure_future(_next(messages))
            await asyncio.wait([following, waiting], return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            message = following.result()
            if message is _END:
                return
            yield message
    finally:
        waiting.cancel()
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await messages.aclose()


async def _next(messages: AsyncGenerator[Any, None]) -> Any:
    return await anext(messages, _END)
