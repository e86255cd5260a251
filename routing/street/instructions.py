"""Turn-by-turn instructions for a way through the streets, in English, French or Portuguese.

Nothing is said where there is nothing to decide: bends, junctions passed on the same street, names that come and go on
unnamed pieces. A roundabout is one instruction with the number of its exit; exits the mode may not take do not count.
"""

from dataclasses import dataclass

import numpy as np

from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.model.street_graph import ARC_FERRY, ARC_ROUNDABOUT, ROAD_CLASSES, StreetGraph
from routing.street.instruction_texts import LANGUAGES, TEXTS, distance, heading, onto, ordinal
from routing.street.path import StreetPath, turn_angle_deg

TURN_DEG, KEEP_DEG, SHARP_DEG, BACK_DEG = 45.0, 50.0, 120.0, 170.0
_FAST = frozenset({"motorway", "trunk"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """What to do at one place.

    Attributes
    ----------
    manoeuvre : str
        depart, straight, slight_right, right, sharp_right, slight_left, left, sharp_left, keep_right, keep_left, u_turn, merge,
        exit, ferry, roundabout, enter_roundabout (the way ends in it), arrive, arrive_right, arrive_left.
    street : str
        Name of the street one is on afterwards; may be empty.
    exit_number : int
        Of a roundabout, from 1; else 0.
    text : str
        The sentence.
    length_m : float
        To the next instruction.
    distance : str
        The same as one says it; empty for the arrival.
    first_point : int
        Index of its point in the path's line.
    climb_m : tuple of float, optional
        Metres up and metres down to the next instruction; None where heights are not known.
    """

    manoeuvre: str
    street: str
    exit_number: int
    text: str
    length_m: float
    distance: str
    first_point: int
    climb_m: tuple[float, float] | None = None


def build_instructions(path: StreetPath, mode: StreetMode, language: str = "en", side: int = 0) -> tuple[Instruction, ...]:
    """Instructions along `path`, the last one being the arrival.

    Parameters
    ----------
    path : StreetPath
    mode : StreetMode
        Whose exits and side streets count.
    language : str
        One of `LANGUAGES`.
    side : int
        Of the destination as seen on arrival: 1 right, -1 left, 0 unknown (see `side_on_arrival`).

    Raises
    ------
    InvalidInput
        For an unknown language.
    """
    if language not in LANGUAGES:
        raise InvalidInput(f"language {language!r} is not one of {', '.join(LANGUAGES)}", "language")
    graph, arcs = path.graph, path.arcs.tolist()
    places: list[tuple[int, str, int, int]] = [(0, "depart", 0, 0)]
    k = 1
    while k < len(arcs):
        if _is(graph, arcs[k], ARC_ROUNDABOUT) and not _is(graph, arcs[k - 1], ARC_ROUNDABOUT):
            end = k
            while end < len(arcs) and _is(graph, arcs[end], ARC_ROUNDABOUT):
                end += 1
            leaves = end < len(arcs)
            exits = sum(_has_exit(graph, arc, mode) for arc in arcs[k:end]) if leaves else 0
            places.append(
                (k, "roundabout" if leaves else "enter_roundabout", max(exits, 1) if leaves else 0, min(end, len(arcs) - 1))
            )
            k = end + 1
            continue
        manoeuvre = _manoeuvre(graph, arcs, k, mode)
        if manoeuvre:
            places.append((k, manoeuvre, 0, k))
        k += 1
    lengths = np.concatenate([[0.0], np.cumsum(path.arc_length_m)])
    out = []
    for i, (begin, manoeuvre, number, onward) in enumerate(places):
        until = places[i + 1][0] if i + 1 < len(places) else len(arcs)
        length_m = float(lengths[until] - lengths[begin])
        street = _street(graph, arcs, onward, until)
        text = _text(path, language, manoeuvre, street, number)
        said, climb_m = distance(language, length_m), path.find_climb_m(begin, until)
        out.append(Instruction(manoeuvre, street, number, text, length_m, said, int(path.arc_point[begin]), climb_m))
    arrival = {1: "arrive_right", -1: "arrive_left"}.get(side, "arrive")
    last = len(path.lat_deg) - 1
    street = graph.names[int(graph.arc_name[arcs[-1]])] if arcs else ""
    return (*out, Instruction(arrival, street, 0, TEXTS[language][arrival], 0.0, "", last))


def side_on_arrival(path: StreetPath, arc: int, side: int) -> int:
    """Side of the destination as seen on arrival, from a snap's arc and side (the path may come along the reverse arc)."""
    return side if len(path.arcs) and int(path.arcs[-1]) == arc else -side


def _text(path: StreetPath, language: str, manoeuvre: str, street: str, number: int) -> str:
    bearing = 0.0
    if manoeuvre == "depart" and len(path.lat_deg) > 1:
        north = path.lat_deg[1] - path.lat_deg[0]
        east = (path.lon_deg[1] - path.lon_deg[0]) * np.cos(np.radians(path.lat_deg[0]))
        bearing = float(np.degrees(np.arctan2(east, north))) % 360.0
    return TEXTS[language][manoeuvre].format(
        heading=heading(language, bearing),
        on=onto(language, street, moving=False),
        onto=onto(language, street),
        name=f" {street}" if street else "",
        exit=ordinal(language, number),
    )


def _street(graph: StreetGraph, arcs: list[int], begin: int, until: int) -> str:
    """Name of the first named street from `begin` on, if it comes soon (60 m)."""
    length = 0.0
    for arc in arcs[begin:until]:
        if graph.arc_name[arc]:
            return graph.names[int(graph.arc_name[arc])]
        length += float(graph.arc_length_m[arc])
        if length > 60.0:
            break
    return ""


def _is(graph: StreetGraph, arc: int, flag: int) -> bool:
    return bool(graph.arc_flags[arc] & flag)


def _class(graph: StreetGraph, arc: int) -> str:
    return ROAD_CLASSES[int(graph.arc_road_class[arc])]


def _others(graph: StreetGraph, before: int, after: int, mode: StreetMode) -> list[int]:
    """Other arcs one could have gone on along."""
    node = int(graph.arc_head[before])
    out = range(int(graph.first_out[node]), int(graph.first_out[node + 1]))
    back = int(graph.arc_reverse[before])
    return [arc for arc in out if arc not in (after, back) and graph.arc_access[arc] & mode.bit]


def _has_exit(graph: StreetGraph, arc: int, mode: StreetMode) -> bool:
    return any(not _is(graph, other, ARC_ROUNDABOUT) for other in _others(graph, arc, -1, mode))


def _manoeuvre(graph: StreetGraph, arcs: list[int], k: int, mode: StreetMode) -> str:
    """What to say between arc `k - 1` and arc `k`; empty for nothing."""
    before, after = arcs[k - 1], arcs[k]
    if _is(graph, after, ARC_FERRY):
        return "" if _is(graph, before, ARC_FERRY) else "ferry"
    angle = turn_angle_deg(graph, before, after)
    if int(graph.arc_reverse[before]) == after or abs(angle) >= BACK_DEG:
        return "u_turn"
    others = _others(graph, before, after, mode)
    renamed = graph.arc_name[after] != graph.arc_name[before] and graph.arc_name[after] != 0
    was, now = _class(graph, before), _class(graph, after)
    if now.removesuffix("_link") in _FAST and now.endswith("_link") and was in _FAST:
        return "exit"
    if now in _FAST and was.endswith("_link"):
        return "merge"
    if not others:
        return "straight" if renamed else ""
    if abs(angle) >= TURN_DEG:
        hand = "right" if angle > 0 else "left"
        return f"sharp_{hand}" if abs(angle) >= SHARP_DEG else hand
    forward = [other for other in (turn_angle_deg(graph, before, arc) for arc in others) if abs(other) < KEEP_DEG]
    same_road = graph.arc_name[after] == graph.arc_name[before] != 0 and was == now
    if same_road and not any(_class(graph, other) == now for other in others):
        forward = []  # lesser roads leave here, the road itself goes on
    if forward and (renamed or min(map(abs, forward)) < abs(angle) + 20.0):
        if angle < min(forward):
            return "keep_left"
        if angle > max(forward):
            return "keep_right"
    if abs(angle) >= 30.0 and not same_road:
        return "slight_right" if angle > 0 else "slight_left"
    return "straight" if renamed else ""


__all__ = ["LANGUAGES", "Instruction", "build_instructions", "side_on_arrival"]
