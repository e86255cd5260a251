"""Text instances: Solomon and Gehring & Homberger (VRPTW, 7 columns), Li & Lim (PDPTW, 9 columns).

Columns: number, x, y, demand, window opens, window closes, service; Li & Lim add the partner that is picked up before and the
one that is delivered after. Travel times are Euclidean distances.
"""

import math
from dataclasses import dataclass

import numpy as np

from routing.rounds.errors import InvalidProblemError
from routing.rounds.formats.instance import MOST_CUSTOMERS, Instance, build_fleet
from routing.rounds.problem import Depot, Problem, Shipment, TimeWindow, Visit
from routing.rounds.travel_times import TravelTimes

SOLOMON, LI_LIM = 7, 9
MOST_VEHICLES = 10_000


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    numbers: list[float]

    def whole(self, column: int, what: str, most: float = 1e12) -> int:
        value = self.numbers[column]
        if not abs(value) <= most or value != math.floor(value):
            raise _wrong(self.line, f"the {what} is {value:g}; expected a whole number")
        return int(value)


def is_plain(text: str) -> bool:
    """Whether a text looks like one of these formats: a line of two or three numbers, then lines of 7 or 9."""
    seen = False
    for line in text.splitlines()[:40]:
        numbers = _numbers(line)
        if numbers is None:
            continue
        if seen and len(numbers) in (SOLOMON, LI_LIM):
            return True
        seen = seen or len(numbers) in (2, 3)
    return False


def read_plain(text: str, name: str, objective: str = "distance", rounding: str = "double") -> Instance:
    """Read a Solomon, Gehring & Homberger or Li & Lim file.

    Parameters
    ----------
    objective : str
        Key of `instance.OBJECTIVES`.
    rounding : str
        ``double``, or ``dimacs``: distances cut to one decimal.

    Raises
    ------
    InvalidProblemError
        Naming the line that is wrong.
    """
    (count, capacity), rows = _table(text)
    at = np.array([row.numbers[1:3] for row in rows])
    distance = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    if rounding == "dimacs":
        distance = np.floor(10 * distance + 1e-9) / 10
    visits = [_visit(c, row) for c, row in enumerate(rows)]
    depot = Depot("depot", 0, visits[0].windows[0])
    shipments: list[Shipment] = []
    customer: list[int] = []
    for c, row in enumerate(rows[1:], 1):
        demand = row.whole(3, "demand")
        if len(row.numbers) == SOLOMON:
            shipments.append(_shipment(row, str(c), demand, None, visits[c]))
            customer.append(c)
        elif other := _partner(rows, c):
            shipments.append(_shipment(row, f"{c}-{other}", demand, visits[c], visits[other]))
            customer += [c, other]
    problem = Problem(len(rows), (depot,), build_fleet(count, capacity, depot.window, objective), tuple(shipments))
    return Instance(name, problem, TravelTimes.static(distance, distance), tuple(customer))


def _table(text: str) -> tuple[tuple[int, int], list[_Row]]:
    """Fleet size and capacity, and the rows, checked for shape and numbering."""
    head: _Row | None = None
    rows: list[_Row] = []
    for line, content in enumerate(text.splitlines(), 1):
        numbers = _numbers(content)
        if not content.strip() or (numbers is None and not rows):
            continue
        if numbers is None:
            raise _wrong(line, f"{content.strip()[:40]!r} is no row of numbers")
        if head is None:
            if len(numbers) not in (2, 3):
                raise _wrong(line, f"has {len(numbers)} numbers; the number of vehicles and their capacity come first")
            head = _Row(line, numbers)
            continue
        wanted = len(rows[0].numbers) if rows else SOLOMON if len(numbers) < LI_LIM else LI_LIM
        if len(numbers) != wanted:
            raise _wrong(line, f"has {len(numbers)} numbers; expected {wanted}")
        if not all(map(math.isfinite, numbers)):
            raise _wrong(line, "holds a number that is not finite")
        if numbers[0] != len(rows):
            raise _wrong(line, f"customer {numbers[0]:g} stands where {len(rows)} is expected; number them from 0, the depot")
        rows.append(_Row(line, numbers))
        if len(rows) > MOST_CUSTOMERS + 1:
            raise _wrong(line, f"more than {MOST_CUSTOMERS} customers; cut the file into parts")
    if head is None or not rows:
        raise InvalidProblemError.of("file", "neither a Solomon/Homberger nor a Li & Lim file: no header or no rows")
    if not 0 < head.whole(0, "number of vehicles") <= MOST_VEHICLES:
        raise _wrong(head.line, f"{head.numbers[0]:g} vehicles; expected 1 to {MOST_VEHICLES}")
    if head.whole(1, "capacity") < 0:
        raise _wrong(head.line, f"the capacity is {head.numbers[1]:g}; expected at least 0")
    return (head.whole(0, "number of vehicles"), head.whole(1, "capacity")), rows


def _visit(c: int, row: _Row) -> Visit:
    try:
        return Visit(c, row.numbers[6], (TimeWindow(row.numbers[4], row.numbers[5]),))
    except InvalidProblemError as error:
        raise error.within(f"line {row.line}") from None


def _shipment(row: _Row, identifier: str, demand: int, pickup: Visit | None, delivery: Visit) -> Shipment:
    try:
        return Shipment(identifier, (demand,), pickup, delivery)
    except InvalidProblemError as error:
        raise error.within(f"line {row.line}") from None


def _partner(rows: list[_Row], c: int) -> int:
    """Delivery of the pickup `c`; 0 where `c` is a delivery itself."""
    row = rows[c]
    before, after = row.whole(7, "pickup"), row.whole(8, "delivery")
    if bool(before) == bool(after):
        raise _wrong(row.line, "give either the pickup (column 8) or the delivery (column 9) that belongs to it")
    other = before or after
    if not 0 < other < len(rows) or other == c:
        raise _wrong(row.line, f"its partner {other} is no other customer of the file")
    if rows[other].whole(8 if before else 7, "partner") != c:
        raise _wrong(row.line, f"its partner {other} (line {rows[other].line}) does not name it in turn")
    return after


def _numbers(line: str) -> list[float] | None:
    try:
        return [float(word) for word in line.split()] or None
    except ValueError:
        return None


def _wrong(line: int, message: str) -> InvalidProblemError:
    return InvalidProblemError.of(f"line {line}", message)
