"""Tasks of requests → how vehicles stop at their places: searches by time, delivery bays. Pure."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from traboule.common.v1 import geo_pb2, time_pb2
from traboule.rounds.v1 import problem_pb2 as pb

from routing.rounds.api import TimeWindow
from routing.rounds.errors import InvalidProblemError
from routing.rounds.kerb import Bay, Kerb
from services.common.errors import Unimplemented
from services.common.status import InvalidRequest

Point = tuple[float, float]
Windows = Callable[[time_pb2.TimeRange], TimeWindow]


@dataclass(frozen=True, slots=True)
class Kerbs:
    """How vehicles stop at places that say more than one number of seconds.

    Attributes
    ----------
    at : dict of int to Kerb
        By location index.
    points : list of (lat, lon)
        Where each bay is.
    fields : list of str
        The request's field it was first named by.
    names : list of str
        Its identifier.
    """

    at: dict[int, Kerb] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def all(self, parking_s: Sequence[int]) -> dict[int, Kerb]:
        """By location also the searches that last the same at all times."""
        always = {j: Kerb(((-float("inf"), seconds),)) for j, seconds in enumerate(parking_s) if seconds}
        return always | self.at


def tasks_of(message: pb.Shipment, path: str) -> Iterator[tuple[pb.Task, str]]:
    """Tasks of a shipment, pickup first, with their fields."""
    for name, task in (("pickup", message.pickup), ("delivery", message.delivery)):
        if message.HasField(name):  # type: ignore[arg-type]
            yield task, f"{path}.{name}"


def kerbs_from(
    tasks: Sequence[tuple[int, pb.Task, str]], resolve: Callable[[geo_pb2.Location, str], Point], window: Windows,
    kind: "pb.TravelTimes.ValueType", depots: Collection[int],
) -> Kerbs:  # fmt: skip
    """Map what tasks (location index, task, field) say of stopping; nobody looks for a place at `depots` (location indices).

    Raises
    ------
    InvalidRequest
        Hours or spans that are not in order, or that travel times which do not change cannot keep.
    Unimplemented
        A bay for a limited number of vehicles.
    """
    kerbs, by_place = Kerbs(), dict[int, list[pb.Task]]()
    known: dict[tuple[Point, str], int] = {}
    bays: dict[int, dict[Bay, None]] = {}
    for location, task, path in tasks:
        if location not in depots:
            by_place.setdefault(location, []).append(task)
        _refuse_changes(task, path, kind)
        for k, message in enumerate(task.bays):
            here = f"{path}.bays[{k}]"
            if message.max_vehicles:
                raise Unimplemented(
                    f"{here}.max_vehicles: vehicles are not counted in bays yet; leave it out", field=f"{here}.max_vehicles"
                )
            lat, lon = resolve(message.location, f"{here}.location")
            key = ((round(lat, 6), round(lon, 6)), message.bay_id)
            if key not in known:
                known[key] = len(kerbs.points)
                kerbs.points.append(key[0])
                kerbs.fields.append(f"{here}.location")
                kerbs.names.append(message.bay_id)
            hours = [_in(window, one, f"{here}.hours[{n}]") for n, one in enumerate(message.hours)]
            bay = Bay(known[key], message.walk_s, tuple(sorted(hours, key=lambda one: one.start_s)))
            if location not in depots:
                bays.setdefault(location, {})[bay] = None
        for n, span in enumerate(task.parking_during):
            _in(window, span.span, f"{path}.parking_during[{n}].span")
    for location, those in by_place.items():
        if location in bays or any(task.parking_during for task in those):
            kerbs.at[location] = Kerb(_steps(those, window), tuple(bays.get(location, {})))
    return kerbs


def _in(window: Windows, message: time_pb2.TimeRange, path: str) -> TimeWindow:
    try:
        return window(message)
    except InvalidProblemError as error:
        raise InvalidRequest([(f"{path}.{one.field}", one.message) for one in error.findings]) from None


def _refuse_changes(task: pb.Task, path: str, kind: "pb.TravelTimes.ValueType") -> None:
    """Travel times that are the same all day have one search, and bays that are always open."""
    if kind not in (pb.TRAVEL_TIMES_FREE_FLOW, pb.TRAVEL_TIMES_TYPICAL):
        return
    wrong = [f"{path}.parking_during"] if task.parking_during else []
    wrong += [f"{path}.bays[{k}].hours" for k, bay in enumerate(task.bays) if bay.hours]
    if wrong:
        words = "changes with the time of day: ask for predicted travel times, or leave it out"
        raise InvalidRequest([(one, words) for one in wrong])


def _steps(tasks: Sequence[pb.Task], window: Windows) -> tuple[tuple[float, int], ...]:
    """The longest search that any of the tasks says, from when on."""
    spans = [[(window(one.span), one.parking_s) for one in task.parking_during] for task in tasks]
    turns = {float(at) for own in spans for one, _ in own for at in (one.start_s, one.end_s + 1)}

    def longest(at: float) -> int:
        said = ([s for one, s in own if one.start_s <= at < one.end_s + 1] for own in spans)
        return max(max(some, default=task.parking_s) for some, task in zip(said, tasks, strict=True))

    steps = [(since, longest(since)) for since in (-float("inf"), *sorted(turns))]
    return tuple(step for k, step in enumerate(steps) if not k or step[1] != steps[k - 1][1])
