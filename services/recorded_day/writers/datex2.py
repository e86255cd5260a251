"""DATEX II v3.5 writer: measurement site table, measured data, situations (valid against the schemas of docs.datex2.eu)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from services.recorded_day.roads import Closure, Point, RoadSite
from services.recorded_day.writers import NOTE

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<d2:payload xmlns:d2="http://datex2.eu/schema/3/d2Payload" xmlns:com="http://datex2.eu/schema/3/common" '
    'xmlns:loc="http://datex2.eu/schema/3/locationReferencing" xmlns:roa="http://datex2.eu/schema/3/roadTrafficData" '
    'xmlns:sit="http://datex2.eu/schema/3/situation" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'lang="en" modelBaseVersion="3" xsi:type="{kind}">'
    '<com:feedDescription><com:values><com:value lang="en">{note}</com:value></com:values></com:feedDescription>'
    "<com:publicationTime>{time}</com:publicationTime>"
    "<com:publicationCreator><com:country>pt</com:country>"
    "<com:nationalIdentifier>TRABOULE-SIMULATED</com:nationalIdentifier></com:publicationCreator>"
)
_TEST = "<{p}:headerInformation><com:informationStatus>test</com:informationStatus></{p}:headerInformation>"


def iso(unix_s: int) -> str:
    """UTC time of the schema's dateTime type."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def site_table(table_id: str, sites: Iterable[RoadSite], unix_s: int, values: Iterable[str]) -> bytes:
    """MeasurementSiteTablePublication with the line each site measures."""
    kinds = "".join(
        f'<roa:measurementSpecificCharacteristics index="{i}"><roa:measurementSpecificCharacteristics>'
        f"<roa:specificMeasurementValueType>{kind}</roa:specificMeasurementValueType>"
        "</roa:measurementSpecificCharacteristics></roa:measurementSpecificCharacteristics>"
        for i, kind in enumerate(values)
    )
    rows = "".join(
        f'<roa:measurementSite id={quoteattr(site.site_id)} version="1">'
        f'<roa:measurementSiteName><com:values><com:value lang="pt">{escape(site.name)}</com:value></com:values>'
        f"</roa:measurementSiteName>{kinds}"
        f'<roa:measurementSiteLocation xsi:type="loc:LinearLocation">{_line(site.path)}</roa:measurementSiteLocation>'
        "</roa:measurementSite>"
        for site in sites
    )
    head = _HEAD.format(kind="roa:MeasurementSiteTablePublication", note=NOTE, time=iso(unix_s))
    table = f'<roa:measurementSiteTable id={quoteattr(table_id)} version="1">{rows}</roa:measurementSiteTable>'
    return f"{head}{_TEST.format(p='roa')}{table}</d2:payload>".encode()


def measured(table_id: str, rows: Iterable[tuple[str, int | None, int | None, int | None]], unix_s: int) -> bytes:
    """MeasuredDataPublication of rows (site id, speed km/h, flow veh/h, occupancy %); None = not measured."""
    head = _HEAD.format(kind="roa:MeasuredDataPublication", note=NOTE, time=iso(unix_s))
    parts = [
        head,
        f'<roa:measurementSiteTableReference targetClass="roa:MeasurementSiteTable" id={quoteattr(table_id)} version="1"/>',
        _TEST.format(p="roa"),
    ]
    for site_id, speed, flow, occupancy in rows:
        quantities = [
            ("TrafficSpeed", "averageVehicleSpeed", "speed", speed),
            ("TrafficFlow", "vehicleFlow", "vehicleFlowRate", flow),
            ("TrafficConcentration", "occupancy", "percentage", occupancy),
        ]
        parts.append(
            '<roa:siteMeasurements><roa:measurementSiteReference targetClass="roa:MeasurementSite" '
            f'id={quoteattr(site_id)} version="1"/>'
        )
        present = [quantity for quantity in quantities if quantity[3] is not None]
        for index, (kind, outer, inner, value) in enumerate(present):
            parts.append(
                f'<roa:physicalQuantity index="{index}"><roa:physicalQuantity xsi:type="roa:SinglePhysicalQuantity">'
                f'<roa:basicData xsi:type="roa:{kind}"><roa:{outer}><com:{inner}>{value}</com:{inner}></roa:{outer}>'
                "</roa:basicData></roa:physicalQuantity></roa:physicalQuantity>"
            )
        parts.append(
            f"<roa:measurementTimeDefault><roa:timeValue>{iso(unix_s)}</roa:timeValue></roa:measurementTimeDefault>"
            "</roa:siteMeasurements>"
        )
    return ("".join(parts) + "</d2:payload>").encode()


def situations(closures: Iterable[Closure], unix_s: int) -> bytes:
    """SituationPublication of blocked streets that have begun."""
    head = _HEAD.format(kind="sit:SituationPublication", note=NOTE, time=iso(unix_s))
    return (
        head + "".join(situation(closure) for closure in closures if closure.begins_at <= unix_s) + "</d2:payload>"
    ).encode()


def situation(closure: Closure) -> str:
    """One situation with its record."""
    begin = iso(closure.begins_at)
    return (
        f"<sit:situation id={quoteattr(closure.event_id)}>{_TEST.format(p='sit')}"
        f'<sit:situationRecord xsi:type="sit:RoadOrCarriagewayOrLaneManagement" id={quoteattr(closure.event_id + "-1")} '
        f'version="1"><sit:situationRecordCreationTime>{begin}</sit:situationRecordCreationTime>'
        f"<sit:situationRecordVersionTime>{begin}</sit:situationRecordVersionTime>"
        "<sit:probabilityOfOccurrence>certain</sit:probabilityOfOccurrence><sit:severity>highest</sit:severity>"
        "<sit:validity><com:validityStatus>definedByValidityTimeSpec</com:validityStatus><com:validityTimeSpecification>"
        f"<com:overallStartTime>{begin}</com:overallStartTime><com:overallEndTime>{iso(closure.ends_at)}</com:overallEndTime>"
        "</com:validityTimeSpecification></sit:validity>"
        '<sit:generalPublicComment><sit:comment><com:values><com:value lang="en">'
        f"[Simulated] {escape(closure.name)} blocked in both directions</com:value></com:values></sit:comment>"
        "</sit:generalPublicComment>"
        f'<sit:locationReference xsi:type="loc:LinearLocation">'
        f"{_line(closure.path)}</sit:locationReference>"
        "<sit:complianceOption>mandatory</sit:complianceOption>"
        "<sit:applicableForTrafficDirection>bothWays</sit:applicableForTrafficDirection>"
        "<sit:roadOrCarriagewayOrLaneManagementType>roadClosed</sit:roadOrCarriagewayOrLaneManagementType>"
        "</sit:situationRecord></sit:situation>"
    )


def _line(path: Iterable[Point]) -> str:
    points = " ".join(f"{lat:.6f} {lon:.6f}" for lat, lon in path)
    return f'<loc:gmlLineString srsDimension="2" srsName="EPSG:4326"><loc:posList>{points}</loc:posList></loc:gmlLineString>'
