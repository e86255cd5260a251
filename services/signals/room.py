"""The control room: intersections of the city, those under control, their modes and plans, kept over restarts."""

import asyncio
from dataclasses import dataclass, field

import numpy as np
from traboule.signals.v1 import intersection_pb2, performance_pb2

from services.common.errors import InvalidInput, ServiceError
from services.common.state import State
from services.signals.control_loop import ControlLoop
from services.signals.errors import IntersectionNotFound, NotControllable
from services.signals.loader import SiteLoader
from services.signals.mapping import read_intersection, read_plan, write_finding, write_intersection
from services.signals.modes import find_obstacle
from services.signals.site import ControlledSite
from traffic_lights.api import Mode, check_plan
from traffic_lights.errors import SignalsError
from traffic_lights.guard_tables import build_tables
from traffic_lights.model.intersection import Intersection
from traffic_lights.model.plan import SignalPlan
from traffic_lights.offline.webster import build_webster_plan

INTERSECTIONS, MODES = "signals/intersections", "signals/modes"
ASSUMED_VPH_PER_LANE = 250.0


@dataclass(slots=True)
class ControlRoom:
    """Finds intersections, and puts them under control when somebody wants to do something with them.

    Sites of the map are not stepped until then: nobody's lamps hang on them.
    """

    loader: SiteLoader | None
    loop: ControlLoop
    state: State
    imported: dict[str, intersection_pb2.Intersection] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def restore(self) -> None:
        """Read what was imported and set before the last stop."""
        for document in await self.state.settings.list_all(INTERSECTIONS, bytes):
            message = intersection_pb2.Intersection.FromString(document.value)
            self.imported[document.id] = message
            self.loop.sites[document.id] = self._build(message, Mode.FIXED)
        for document in await self.state.settings.list_all(MODES, str):
            try:
                site = self.control(document.id)
            except (IntersectionNotFound, SignalsError):
                continue  # the map no longer has it: the mode waits for its return
            self._set_mode(site, Mode[document.value])

    def list_ids(self) -> list[str]:
        """Ids of all intersections, imported ones and those of the map."""
        mapped = list(self.loader.index) if self.loader else []
        return sorted({*self.imported, *mapped})

    def describe(self, intersection_id: str) -> intersection_pb2.Intersection:
        """Full description; raises `IntersectionNotFound` or says why the map does not suffice."""
        if intersection_id in self.imported:
            return self.imported[intersection_id]
        if self.loader is None:
            raise IntersectionNotFound(f"there is no intersection {intersection_id!r}", field="intersection_id")
        message = write_intersection(self.loader.get(intersection_id), derived=True)
        site = self.loop.sites.get(intersection_id)
        if site is not None:
            message.plans.extend(site.message.plans)
        return message

    def control(self, intersection_id: str) -> ControlledSite:
        """The intersection under control, put there if it is not yet."""
        site = self.loop.sites.get(intersection_id)
        if site is None:
            site = self._build(self.describe(intersection_id), Mode.FIXED)
            self.loop.sites[intersection_id] = site
        return site

    def look_at(self, intersection_id: str) -> ControlledSite:
        """The intersection as it is under control or would be; reading puts nothing under control."""
        return self.loop.sites.get(intersection_id) or self._build(self.describe(intersection_id), Mode.FIXED)

    def check_mode(self, intersection_ids: list[str], mode: Mode) -> list[ControlledSite]:
        """Sites of all intersections, if all may have the mode.

        Raises
        ------
        NotControllable
            For ACTIVE on an intersection derived from a map, or one whose detectors do not suffice.
        """
        sites = [self.control(name) for name in intersection_ids]
        for i, site in enumerate(sites):
            obstacle = find_obstacle(site, mode)
            if obstacle:
                raise NotControllable(f"{site.intersection.id}: {obstacle}", field=f"intersection_ids[{i}]")
        return sites

    async def set_mode(self, intersection_ids: list[str], mode: Mode) -> list[ControlledSite]:
        """Set the mode of all or none; raises as `check_mode`."""
        sites = self.check_mode(intersection_ids, mode)
        for site in sites:
            await self.state.settings.put(MODES, site.intersection.id, mode.name)
            site.controller.mode = mode
        return sites

    async def import_all(
        self, messages: list[intersection_pb2.Intersection], *, validate_only: bool
    ) -> tuple[int, int, list[performance_pb2.PlanFinding]]:
        """Check all, store all or none; counts of new and changed ones (none with a finding), and what was found."""
        findings: list[performance_pb2.PlanFinding] = []
        built: list[ControlledSite] = []
        for i, message in enumerate(messages):
            path = f"intersections[{i}]"
            try:
                built.append(self._build(message, Mode.FIXED, path))
            except (SignalsError, ServiceError) as error:
                where = str(error.field or "")
                findings.append(write_finding("invalid", str(error), where if where.startswith(path) else f"{path}.{where}"))
        async with self._lock:
            known = {m.intersection_id for m in messages if m.intersection_id in self.imported}
            if findings:
                return 0, 0, findings
            if validate_only:
                return len(messages) - len(known), len(known), findings
            for message, site in zip(messages, built, strict=True):
                await self.state.settings.put(INTERSECTIONS, message.intersection_id, message.SerializeToString())
                old = self.loop.sites.get(message.intersection_id)
                if old is not None:
                    site.take_over(old, self.loop.clock.now())
                    self._set_mode(site, old.controller.mode)
                self.imported[message.intersection_id] = message
                self.loop.sites[message.intersection_id] = site
        return len(messages) - len(known), len(known), []

    async def store_plan(self, intersection_id: str, plan: intersection_pb2.SignalPlan, engine_plan: SignalPlan) -> None:
        """Put a plan in force and keep it; plans of map sites last until the restart."""
        site = self.control(intersection_id)
        del site.message.plans[:]
        site.message.plans.append(plan)
        if intersection_id in self.imported:
            self.imported[intersection_id] = site.message
            await self.state.settings.put(INTERSECTIONS, intersection_id, site.message.SerializeToString())
        site.controller.set_plan(engine_plan)

    def _build(self, message: intersection_pb2.Intersection, mode: Mode, path: str = "intersection") -> ControlledSite:
        x = read_intersection(message, path)
        build_tables(x)
        groups = {g.id for g in x.groups}
        for d, detector in enumerate(message.detectors):
            unknown = [g for g in detector.signal_group_ids if g not in groups]
            if unknown:
                raise InvalidInput(f"no signal group {unknown[0]!r}", field=f"{path}.detectors[{d}].signal_group_ids")
        if message.plans:
            plan = read_plan(message.plans[0], x, f"{path}.plans[0]")
            found = check_plan(x, plan)
            if found:
                raise InvalidInput(f"the guard would change the plan: {found[0]}", field=f"{path}.plans[0]")
        else:
            plan = assume_plan(x)
        return ControlledSite.build(message, x, plan, mode, self.loop.config.trust_gap_s)

    @staticmethod
    def _set_mode(site: ControlledSite, mode: Mode) -> None:
        """Give a site the mode it had before, FIXED if its description no longer allows it."""
        obstacle = find_obstacle(site, mode)
        if obstacle:
            site.notes.append(("set_mode", f"FIXED instead of {mode.name}: {obstacle}"))
        site.controller.mode = Mode.FIXED if obstacle else mode


def assume_plan(x: Intersection) -> SignalPlan:
    """Webster plan for `ASSUMED_VPH_PER_LANE`, where nothing better is known."""
    demand = np.array([ASSUMED_VPH_PER_LANE * m.lanes for m in x.movements])
    longest_s = max(120, max(g.max_red_s for g in x.groups))
    if len(x.rescue_cycle) < 2:
        return SignalPlan((x.rescue_cycle[0],), (0,), 60, 0, f"{x.id} assumed")
    return build_webster_plan(x, demand, max_cycle_s=longest_s).plan
