"""What every command has at hand."""

import functools
import math
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click
from traboule.common.v1 import geo_pb2
from traboule.journeys.v1 import journeys_service_pb2_grpc, places_pb2

from routing.errors import RoutingError
from services.city.errors import CityError
from services.cli.client import CityClient
from services.cli.output import console, plain
from services.common.clock import CityClock
from services.common.config import Config
from services.common.errors import ServiceError
from traffic_lights.errors import SignalsError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class CommandContext:
    """Settings of one invocation."""

    config: Config
    told: set[str] = field(default_factory=set)
    """Places of which it was said what they were taken for."""

    @functools.cached_property
    def client(self) -> CityClient:
        """Way to the services."""
        return CityClient(self.config)

    @functools.cached_property
    def timezone(self) -> ZoneInfo:
        """Time zone of the city (from its snapshot)."""
        from services.city.snapshot import open_snapshot  # noqa: PLC0415 - arrays are not needed to begin a command

        return ZoneInfo(open_snapshot(self.config.home, self.config.city).timezone)

    def now(self) -> int:
        """City time, unix seconds: that of the running city if there is one."""
        return int(running_clock(self.config).now())

    def resolve(self, text: str, *, quiet: bool = False) -> tuple[geo_pb2.Location, str]:
        """Location of ``lat,lon``, a place id, a stop id or a name (the best match; said aloud), and what to call it."""
        if not text.strip():
            raise click.ClickException("a place is empty; give a name, lat,lon or an id")
        point = parse_point(text)
        if point is not None:
            return geo_pb2.Location(point=point), text
        if text.startswith(("stop:", "osm:", "car_park:")):
            return geo_pb2.Location(place_id=text), text
        if re.fullmatch(r"[\w.-]+:\S+", text):
            return geo_pb2.Location(stop_id=text), text
        request = places_pb2.SearchPlacesRequest(query=text, max_places=1)
        found = self.client.call("journeys", journeys_service_pb2_grpc.JourneysServiceStub, "SearchPlaces", request)
        if not found.places:
            hint = f"try `traboule places {shlex.quote(text)}` or lat,lon"
            raise click.ClickException(f"no place called {text!r} was found; {hint}")
        place = found.places[0]
        if not quiet and text not in self.told:
            self.told.add(text)
            where = f", {place.locality}" if place.locality else ""
            at = f"({place.location.lat_deg:.5f}, {place.location.lon_deg:.5f})"
            console.print(f"[dim]{plain(f'{text} → {place.name}{where} {at}')}[/]")
        remark = approximation(text, place)
        if remark:
            click.echo(f"note: {remark}", err=True)
        return geo_pb2.Location(point=place.location), place.name


def approximation(text: str, place: places_pb2.Place) -> str:
    """What of a text the place found for it lacks, in words; empty when nothing."""
    if not place.approximate:
        return ""
    numbers = [word for word in re.findall(r"\w+", text) if word[0].isdigit() and word not in re.findall(r"\w+", place.name)]
    if numbers and place.kind in (places_pb2.PLACE_KIND_STREET, places_pb2.PLACE_KIND_ADDRESS):
        what = "street" if place.kind == places_pb2.PLACE_KIND_STREET else "address"
        return f"the house number {' '.join(numbers)} is not in the map; the position of the {what} {place.name} is taken"
    return f"not all of {text!r} was found; {place.name} comes nearest"


def parse_point(text: str) -> geo_pb2.LatLng | None:
    """Point of ``41.15,-8.61``; None if it is not of that form."""
    parts = text.replace(";", ",").split(",")
    if len(parts) != 2:
        return None
    try:
        lat, lon = (float(part) for part in parts)
    except ValueError:
        return None
    return geo_pb2.LatLng(lat_deg=lat, lon_deg=lon) if math.isfinite(lat) and math.isfinite(lon) else None


def running_clock(config: Config) -> CityClock:
    """Clock of the running city, else that of the settings."""
    path = config.run_dir / "clock"
    return CityClock.parse(path.read_text()) if not config.clock and path.exists() else config.city_clock()


FORESEEN = (ServiceError, CityError, RoutingError, SignalsError, OSError)
"""Roots of the errors that are raised on purpose, and files that cannot be read or written."""


class CommandError(click.ClickException):
    """A foreseen error as one sentence, with its own exit status."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.exit_code = int(getattr(error, "exit_code", 1))  # type: ignore[misc]


def plain_errors(command: F) -> F:
    """Turn every foreseen error of a command into one sentence."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except FORESEEN as error:
            raise CommandError(error) from None

    return wrapped  # type: ignore[return-value]
