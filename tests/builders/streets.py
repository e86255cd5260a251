"""Small street networks drawn as text.

::

    A B C
      D
    ---
    ABC  name=High_Street
    BD   highway=residential oneway=yes
    B:   barrier=bollard
    no_left_turn AB B BD        (from-way, via node or via ways, to-way; further tags may follow)

Letters are nodes, 100 m apart; a way is the string of its nodes, `highway=residential` unless it says otherwise. Underscores in
names and tildes in conditions stand for blanks. Text goes through the same pure functions as an OSM file.
"""

import functools
from dataclasses import dataclass

import numpy as np

from routing.model.modes import StreetMode
from routing.model.street_graph import StreetGraph
from routing.street.api import Snaps, StreetEngine, StreetMetric
from services.city.osm_reader import StreetReport, build_street_graph
from services.city.osm_reader_extract import Extract, Member
from services.city.osm_reader_raw import RawStreets, read_raw_streets, understand
from tests.builders.shared_data import porto

ORIGIN_DEG = (41.15, -8.61)
METRES_PER_DEGREE = 111_195.08


@dataclass(frozen=True)
class Drawn:
    """A drawn network with its engine (turn costs as usual)."""

    graph: StreetGraph
    report: StreetReport
    engine: StreetEngine

    def node(self, letter: str) -> int:
        """Node of a letter."""
        return int(np.flatnonzero(self.graph.node_osm_id == ord(letter))[0])

    def find_arc(self, letters: str) -> int:
        """Arc between the nodes of two letters, -1 if there is none."""
        tail, head = (self.node(letter) for letter in letters)
        arcs = range(int(self.graph.first_out[tail]), int(self.graph.first_out[tail + 1]))
        return next((arc for arc in arcs if self.graph.arc_head[arc] == head), -1)

    def arc(self, letters: str) -> int:
        """Arc between the nodes of two letters."""
        arc = self.find_arc(letters)
        assert arc >= 0, f"no arc {letters}"
        return arc

    def at(self, *places: str, fraction: float = 0.5) -> Snaps:
        """Positions part-way along arcs."""
        arcs = np.array([self.arc(letters) for letters in places], np.int32)
        k = len(arcs)
        zeros = np.zeros(k)
        return Snaps(arcs, np.full(k, fraction, np.float32), np.zeros(k, np.float32), zeros, zeros)

    def way(self, start: str, end: str, mode: StreetMode = StreetMode.CAR, metric: StreetMetric | None = None) -> str:
        """The quickest way from the middle of one street to the middle of another, as ``AB BC CD``; ``-`` if there is none."""
        path = self.engine.find_route(metric or self.engine.metric(mode), self.at(start), 0, self.at(end), 0)
        return "-" if path is None else self.letters(path.arcs)

    def letters(self, arcs: np.ndarray) -> str:
        """Arcs as text."""
        ids = self.graph.node_osm_id
        return " ".join(chr(ids[self.graph.arc_tail[a]]) + chr(ids[self.graph.arc_head[a]]) for a in arcs)


@functools.cache
def porto_streets() -> RawStreets:
    """Raw streets of the embedded city, read once per test run."""
    return read_raw_streets(porto("porto_portugal.osm.pbf"))


def draw(text: str) -> Drawn:
    """Build the network of a drawing."""
    graph, report = build_street_graph(raw_streets(text))
    return Drawn(graph, report, StreetEngine(graph))


def raw_streets(text: str) -> RawStreets:
    """Read a drawing as far as an OSM file is read."""
    return understand(drawn_extract(text))


def drawn_extract(text: str) -> Extract:
    """What a file with the elements of a drawing would hold."""
    picture, _, table = text.strip("\n").partition("---")
    positions = _positions(picture)
    lines = [line.split() for line in table.splitlines() if line.strip()]
    ways = [(parts[0], _tags(parts[1:])) for parts in lines if parts[0].isupper()]
    ids = {letters: number for number, (letters, _) in enumerate(ways, 1)}
    order = sorted(positions)
    return Extract(
        node_id=np.array([ord(letter) for letter in order], np.int64),
        node_lat_e7=np.array([positions[letter][0] for letter in order], np.int32),
        node_lon_e7=np.array([positions[letter][1] for letter in order], np.int32),
        node_tags={ord(parts[0][:-1]): _tags(parts[1:]) for parts in lines if parts[0].endswith(":")},
        way_id=np.arange(1, len(ways) + 1, dtype=np.int64),
        first_ref=np.cumsum([0, *(len(letters) for letters, _ in ways)]).astype(np.int64),
        refs=np.array([ord(letter) for letters, _ in ways for letter in letters], np.int64),
        way_tags=np.arange(len(ways), dtype=np.int32),
        tags=[tags if "route" in tags else {"highway": "residential", **tags} for _, tags in ways],
        relations=[_relation(number, parts, ids) for number, parts in enumerate((p for p in lines if p[0].islower()), 1)],
    )


def _positions(picture: str) -> dict[str, tuple[int, int]]:
    """Latitude and longitude (× 10⁷) of the letters; two columns or one line are 100 m."""
    found = {}
    indent = min(len(line) - len(line.lstrip()) for line in picture.splitlines() if line.strip())
    for row, line in enumerate(picture.splitlines()):
        for column, letter in enumerate(line[indent:]):
            if letter.isupper():
                lat = ORIGIN_DEG[0] - row * 100.0 / METRES_PER_DEGREE
                lon = ORIGIN_DEG[1] + column * 50.0 / METRES_PER_DEGREE / np.cos(np.radians(ORIGIN_DEG[0]))
                found[letter] = (round(lat * 1e7), round(lon * 1e7))
    return found


def _tags(parts: list[str]) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in parts)
    tags = {key: value.replace("_", " ") if key == "name" else value for key, value in pairs}
    return {key: value.replace("~", " ") if key.endswith(":conditional") else value for key, value in tags.items()}


def _relation(number: int, parts: list[str], ids: dict[str, int]) -> tuple[int, dict[str, str], list[Member]]:
    kind, words = parts[0], [part for part in parts[1:] if "=" not in part]
    tags = {"type": "restriction", **_tags([part for part in parts[1:] if "=" in part])}
    if "=" not in kind and kind != "tagged":
        tags["restriction"] = kind
    members: list[Member] = [("w", ids[words[0]], "from"), ("w", ids[words[-1]], "to")]
    members += [("n", ord(word), "via") if len(word) == 1 else ("w", ids[word], "via") for word in words[1:-1]]
    return number, tags, members
