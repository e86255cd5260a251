"""DATEX II v2 and v3: measured data, elaborated data, measurement site tables and situations (CEN/TS 16157).

A SOAP envelope is unwrapped once. Locations are read as coordinates (points, lines, GML position lists, GeoJSON-like tuples);
Alert-C, OpenLR and TPEG without coordinates are not resolved. Not read: VMS, traffic management plans, energy.
"""

from collections.abc import Iterable

from services.common.records import AnyRecord, Event
from services.ingest.errors import FeedRejected
from services.ingest.limits import open_body
from services.ingest.sources.base import Decoded, Findings, SourceContext, check_published
from services.ingest.sources.datex2_measured import elaborated_records, measured_records, read_sites
from services.ingest.sources.datex2_situations import situation_records
from services.ingest.sources.times import parse_time
from services.ingest.sources.xml import Element, child, children, local_name, namespace, parse_xml, text, unwrap_soap, xsi_type

ADAPTER = "datex2"
STALE_S = {"MeasuredDataPublication": 3600, "ElaboratedDataPublication": 3600, "SituationPublication": 7 * 86_400}
AGEING_S = {"MeasuredDataPublication": 600, "ElaboratedDataPublication": 600, "SituationPublication": 86_400}
YEARS_S = 20 * 366 * 86_400
"""A site table is as old as it is."""


def decode(body: bytes, context: SourceContext) -> Decoded:
    """Decode one DATEX II body (one or several publications)."""
    findings = Findings()
    try:
        root = parse_xml(open_body(body, context.limits), context.limits)
        root, _ = unwrap_soap(root)
        publications = list(_publications(root))
        if not publications:
            raise FeedRejected("decode_error", f"no DATEX II payload in <{local_name(root)}>")
        answers = [_publication(publication, context, findings) for publication in publications]
    except FeedRejected as error:
        return findings.rejected(error)
    records = _last_wins((record for answer in answers for record in answer.records), findings)
    sites = {site_id: site for answer in answers for site_id, site in answer.sites.items()}
    return findings.decoded(tuple(records), max((a.published_at or 0) for a in answers) or None, full=True, sites=sites)


def _publications(root: Element) -> Iterable[Element]:
    name = local_name(root)
    space = namespace(root)
    if "/schema/1" in space:
        raise FeedRejected("unsupported_version", f"DATEX II version 1 ({space}) is not read")
    if name == "d2LogicalModel":
        if root.get("modelBaseVersion", "2").split(".")[0] not in {"2", "3"}:
            raise FeedRejected("unsupported_version", f"modelBaseVersion {root.get('modelBaseVersion', '')[:20]!r}")
        yield from children(root, "payloadPublication")
    elif name in {"payload", "payloadPublication"}:
        yield root
    elif name in {"messageContainer", "exchangeContainer"}:
        yield from children(root, "payload")
    else:
        for element in root.iter("{*}d2LogicalModel", "{*}payload"):
            if element is not root:
                yield from _publications(element)


def _publication(publication: Element, context: SourceContext, findings: Findings) -> Decoded:
    kind = xsi_type(publication)
    stated = text(publication, "publicationTime")
    moment = parse_time(stated, context.timezone, findings, "publicationTime") if stated else None
    if stated and moment is None:
        raise FeedRejected("schema_error", f"publicationTime {stated[:40]!r} is no time")
    published = check_published(moment, context, findings, STALE_S.get(kind, YEARS_S), AGEING_S.get(kind))
    if kind == "MeasuredDataPublication":
        return Decoded(tuple(measured_records(publication, context, findings, published)), published_at=published)
    if kind == "ElaboratedDataPublication":
        return Decoded(tuple(elaborated_records(publication, context, findings, published)), published_at=published)
    if kind == "SituationPublication":
        return Decoded(tuple(situation_records(publication, context, findings, published)), published_at=published)
    if kind == "MeasurementSiteTablePublication":
        return Decoded(published_at=published, sites=read_sites(publication, context, findings))
    if child(publication, "situation") is not None:
        return Decoded(tuple(situation_records(publication, context, findings, published)), published_at=published)
    findings.add("unsupported_publication", f"{kind or 'payload without xsi:type'} carries nothing that is read here")
    return Decoded(published_at=published)


def _last_wins(records: Iterable[AnyRecord], findings: Findings) -> list[AnyRecord]:
    """One record per entity and kind; for events the highest version wins, else the last one."""
    kept: dict[tuple[str, str], AnyRecord] = {}
    for record in records:
        key = (record.entity, getattr(record, "kind", "") if not isinstance(record, Event) else "event")
        before = kept.get(key)
        if isinstance(record, Event) and isinstance(before, Event):
            if record.version < before.version:
                findings.add("out_of_order", f"version {record.version} after {before.version}: dropped", record.entity)
                continue
            if record.version == before.version:
                findings.add("duplicate_entity", "the same version of a situation record stands twice", record.entity)
        elif before is not None:
            findings.add("duplicate_entity", f"{key[1]} of this site stands twice: the last one wins", record.entity)
        kept[key] = record
    return list(kept.values())
