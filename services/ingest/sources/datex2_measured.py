"""DATEX II measured data (loops, cameras, travel times), elaborated data, and measurement site tables."""

import math
from collections.abc import Iterator

from services.common.records import OBSERVATION_UNITS, Observation
from services.ingest.sources.base import Findings, Site, SourceContext, entity_fresh
from services.ingest.sources.datex2_geometry import read_path
from services.ingest.sources.times import parse_time
from services.ingest.sources.xml import Element, child, children, text, xsi_type

ADAPTER = "datex2"
ENTITY_STALE_S = 1800
VALID_S = 600
MAX_SPEED_KMH = 200.0

_VALUES = {
    "TrafficSpeed": ("speed", ("averageVehicleSpeed",), "speed"),
    "TrafficFlow": ("flow", ("vehicleFlow",), "vehicleFlowRate"),
    "TrafficConcentration": ("occupancy", ("occupancy",), "percentage"),
    "TravelTimeData": ("travel_time", ("travelTime",), "duration"),
}
"""xsi:type of basicData → kind of observation, path to the value element, name of the number in it."""

_BOUNDS = {"speed": MAX_SPEED_KMH, "flow": 20_000.0, "occupancy": 100.0, "travel_time": 86_400.0}


def measured_records(publication: Element, context: SourceContext, findings: Findings, published: int) -> Iterator[Observation]:
    """Observations of a MeasuredDataPublication."""
    for index, site in enumerate(children(publication, "siteMeasurements")):
        if index >= context.limits.entities:
            findings.add("entity_limit", f"only {context.limits.entities} sites read")
            return
        reference = child(site, "measurementSiteReference")
        site_id = (reference.get("id") or (reference.text or "").strip()) if reference is not None else ""
        if not site_id:
            findings.add("invalid_entity", "siteMeasurements without measurementSiteReference", f"site {index}")
            continue
        if context.sites is not None and site_id not in context.sites:
            findings.add("unknown_site", f"site {site_id!r} is not in the measurement site table", site_id)
        observed = _time_default(site, context, findings, published, site_id)
        if entity_fresh(observed, context, findings, site_id, ENTITY_STALE_S):
            known = context.sites.get(site_id) if context.sites else None
            yield from _site_values(site, site_id, known, context, findings, observed)


def _time_default(site: Element, context: SourceContext, findings: Findings, published: int, where: str) -> int:
    stated = text(site, "measurementTimeDefault") or text(site, "measurementTimeDefault", "timeValue")
    moment = parse_time(stated, context.timezone, findings, where) if stated else None
    return published if moment is None else moment


def _site_values(
    site: Element, site_id: str, known: Site | None, context: SourceContext, findings: Findings, observed: int
) -> Iterator[Observation]:
    """Values of one site: several of a kind (lanes) become one, weighted evenly; flow is summed."""
    values: dict[str, list[float]] = {}
    for wrapper in site.iterchildren("{*}measuredValue", "{*}physicalQuantity"):
        inner = child(wrapper, "measuredValue")
        inner = inner if inner is not None else child(wrapper, "physicalQuantity")
        quantity = inner if inner is not None else wrapper
        for basic in children(quantity, "basicData"):
            found = _value(basic, quantity, findings, site_id)
            if found is not None:
                values.setdefault(found[0], []).append(found[1])
    for kind, numbers in values.items():
        value = sum(numbers) if kind == "flow" else sum(numbers) / len(numbers)
        yield _observation(site_id, kind, value, known, context, observed)


def _observation(entity: str, kind: str, value: float, site: Site | None, context: SourceContext, observed: int) -> Observation:
    return Observation(
        feed=context.feed, entity=entity, kind=kind, value=value, unit=OBSERVATION_UNITS[kind],
        observed_at=observed, received_at=context.now, valid_until=observed + VALID_S,
        provenance=context.provenance(ADAPTER), name=site.name if site else "",
        lat=site.lat if site else None, lon=site.lon if site else None, path=site.path if site else (),
        bearing_deg=site.bearing_deg if site else None,
    )  # fmt: skip


def _value(basic: Element, quantity: Element, findings: Findings, where: str) -> tuple[str, float] | None:
    known = _VALUES.get(xsi_type(basic))
    if known is None:
        return None
    kind, path, leaf = known
    holder = child(basic, *path)
    if holder is None:
        return None
    fault = text(holder, "dataError") == "true" or child(quantity, "physicalQuantityFault") is not None
    if fault or text(holder, "numberOfInputValuesUsed") == "0":
        findings.add("data_error", f"{kind}: the supplier marks the value as wrong or without input", where)
        return None
    stated = text(holder, leaf)
    try:
        value = float(stated)
    except ValueError:
        findings.add("invalid_entity", f"{kind}: {stated[:40]!r} is no number", where)
        return None
    if not 0 <= value <= _BOUNDS[kind]:
        code = "implausible_speed" if kind == "speed" and value >= -1 else "value_out_of_range"
        if value != -1:  # -1 is the usual "no vehicle" of loop systems, not an error worth a warning
            findings.add(code, f"{kind} {value}", where)
        return None
    return kind, value


def elaborated_records(
    publication: Element, context: SourceContext, findings: Findings, published: int
) -> Iterator[Observation]:
    """Observations of an ElaboratedDataPublication: values with their own location."""
    default = text(publication, "timeDefault")
    base = (parse_time(default, context.timezone, findings, "timeDefault") if default else None) or published
    for index, quantity in enumerate(publication.iterchildren("{*}elaboratedData", "{*}physicalQuantity")):
        if index >= context.limits.entities:
            findings.add("entity_limit", f"only {context.limits.entities} values read")
            return
        if text(quantity, "forecast") == "true":
            continue
        location = child(quantity, "pertinentLocation")
        for basic in children(quantity, "basicData"):
            own = location if location is not None else child(basic, "pertinentLocation")
            stated = text(basic, "measurementOrCalculationTime") or text(basic, "measurementOrCalculationTime", "timeValue")
            observed = (parse_time(stated, context.timezone, findings, f"value {index}") if stated else None) or base
            site = _elaborated_site(own, index)
            found = _value(basic, quantity, findings, site.site_id)
            if found and entity_fresh(observed, context, findings, site.site_id, ENTITY_STALE_S):
                if not site.path and site.lat is None and (context.sites is None or site.site_id not in context.sites):
                    findings.add("no_location", "value without a location that can be read", site.site_id)
                known = (context.sites or {}).get(site.site_id, site)
                yield _observation(site.site_id, found[0], found[1], known, context, observed)


def _elaborated_site(location: Element | None, index: int) -> Site:
    if location is None:
        return Site(f"value-{index}")
    reference = location.find(".//{*}predefinedLocationReference")
    site_id = (reference.get("id") if reference is not None else None) or location.get("id") or f"value-{index}"
    return _site(site_id, "", read_path(location), _bearing(location))


def _site(site_id: str, name: str, path: tuple[tuple[float, float], ...], bearing_deg: float | None = None) -> Site:
    lat, lon = path[0] if path else (None, None)
    return Site(site_id, name, lat, lon, path if len(path) > 1 else (), bearing_deg)


def read_sites(publication: Element, context: SourceContext, findings: Findings) -> dict[str, Site]:
    """Sites of a MeasurementSiteTablePublication."""
    sites: dict[str, Site] = {}
    for table in children(publication, "measurementSiteTable"):
        for record in table.iterchildren("{*}measurementSiteRecord", "{*}measurementSite"):
            site_id = record.get("id") or ""
            if not site_id or len(sites) >= context.limits.entities:
                findings.add("invalid_entity", "site without id, or too many sites")
                continue
            if site_id in sites:
                findings.add("duplicate_entity", "site stands twice in the table", site_id)
            location = child(record, "measurementSiteLocation")
            path = read_path(location) if location is not None else ()
            if not path:
                findings.add("no_location", "site without a location that can be read", site_id)
            sites[site_id] = _site(site_id, _name(record), path, _bearing(location))
    return sites


def _name(record: Element) -> str:
    name = child(record, "measurementSiteName")
    return text(name, "values", "value")[:200] if name is not None else ""


def _bearing(location: Element | None) -> float | None:
    found = location.find(".//{*}bearing") if location is not None else None
    try:
        bearing = float(found.text or "") if found is not None else math.nan
    except ValueError:
        return None
    return bearing % 360 if math.isfinite(bearing) else None
