"""Figures of one intersection by the minute, from what its detectors say and what it shows."""

from collections import deque
from dataclasses import dataclass, field

from traboule.signals.v1 import performance_pb2

from traffic_lights.api import Decision, Source
from traffic_lights.model.groups import Aspect, GroupKind
from traffic_lights.model.intersection import Intersection

KEPT_MINUTES = 24 * 60
IDLE_CO2_G_PER_S = 0.6
"""Grams of CO2 of a second of idling of an average car (about 0.9 l of petrol an hour). Stops are not counted."""


@dataclass(slots=True)
class _Minute:
    begin_s: int
    seconds: int = 0
    vehicles: int = 0
    queue_seconds: float = 0.0
    max_queue: float = 0.0
    interventions: int = 0
    by_mode: dict[str, int] = field(default_factory=dict)
    green_s: list[int] = field(default_factory=list)
    wait_s2: list[int] = field(default_factory=list)
    longest_red_s: list[int] = field(default_factory=list)


@dataclass(slots=True)
class PerformanceBook:
    """Keeps one day of minutes."""

    intersection: Intersection
    minutes: deque[_Minute] = field(default_factory=lambda: deque(maxlen=KEPT_MINUTES))
    _red_s: list[int] = field(default_factory=list)

    def record(self, decision: Decision, vehicles: int, queue: float, intervened: bool) -> None:
        """Add one second."""
        begin = decision.time_s - decision.time_s % 60
        if not self.minutes or self.minutes[-1].begin_s != begin:
            zeros = [0] * len(self.intersection.groups)
            self._red_s = self._red_s or list(zeros)
            self.minutes.append(_Minute(begin, green_s=list(zeros), wait_s2=list(zeros), longest_red_s=list(zeros)))
        minute = self.minutes[-1]
        minute.seconds += 1
        minute.vehicles += vehicles
        minute.queue_seconds += queue
        minute.max_queue = max(minute.max_queue, queue)
        minute.interventions += intervened
        name = "fallback" if decision.source is Source.FALLBACK else decision.mode.name.lower()
        minute.by_mode[name] = minute.by_mode.get(name, 0) + 1
        for g, aspect in enumerate(decision.command.aspects):
            green = aspect in (Aspect.GREEN, Aspect.GREEN_YIELD)
            self._red_s[g] = 0 if green else self._red_s[g] + 1 + decision.command.lost_s
            minute.green_s[g] += green
            minute.wait_s2[g] += self._red_s[g]
            minute.longest_red_s[g] = max(minute.longest_red_s[g], self._red_s[g])

    def summarise(self, from_s: int, to_s: int) -> performance_pb2.Performance:
        """Figures of the minutes that begin in [from_s, to_s)."""
        x = self.intersection
        chosen = [m for m in self.minutes if from_s <= m.begin_s < to_s]
        seconds = sum(m.seconds for m in chosen)
        vehicles = sum(m.vehicles for m in chosen)
        delay_s = sum(m.queue_seconds for m in chosen)
        message = performance_pb2.Performance(
            intersection_id=x.id,
            vehicle_count=vehicles,
            mean_delay_s=delay_s / vehicles if vehicles else 0.0,
            max_queue_vehicles=max((m.max_queue for m in chosen), default=0.0),
            throughput_vph=3600.0 * vehicles / seconds if seconds else 0.0,
            co2_g=delay_s * IDLE_CO2_G_PER_S,
            guard_intervention_count=sum(m.interventions for m in chosen),
            basis=performance_pb2.Performance.BASIS_DETECTORS,
        )
        message.period.start_unix_s, message.period.end_unix_s = from_s, to_s
        for m in chosen:
            for name, count in m.by_mode.items():
                message.mode_share[name] += count / max(1, seconds)
        for g, group in enumerate(x.groups):
            share = sum(m.green_s[g] for m in chosen) / seconds if seconds else 0.0
            longest = max((m.longest_red_s[g] for m in chosen), default=0)
            message.groups.add(signal_group_id=group.id, green_share=share, max_red_s=longest)
            if group.kind is GroupKind.PEDESTRIAN and seconds:
                # Who comes at a random second waits for the rest of that red: on average the sum of red ages over all time.
                wait = sum(m.wait_s2[g] for m in chosen) / seconds
                message.mean_pedestrian_wait_s = max(message.mean_pedestrian_wait_s, wait)
        return message
