"""Speeds that no vehicle has: each is left out and counted, its neighbours are kept, and no travel time is ever absurd."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.model.modes import UNREACHABLE_MS, StreetMode
from services.common.live.links import LinkMatcher
from services.common.live.traffic import build_traffic
from services.common.records import Observation, Provenance
from services.ingest.sources.base import Decoded
from services.ingest.sources.registry import decode
from tests.builders.feeds import NOW, context
from tests.builders.streets import draw
from tests.services.common.live.test_traffic import point

MEASURED = """<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0" modelBaseVersion="2">
<payloadPublication xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="MeasuredDataPublication">
<publicationTime>2026-03-10T07:59:00+01:00</publicationTime>{}</payloadPublication></d2LogicalModel>"""
SITE = """<siteMeasurements><measurementSiteReference id="{}"/>
<measurementTimeDefault>2026-03-10T07:59:00+01:00</measurementTimeDefault>
<measuredValue index="1"><measuredValue><basicData xsi:type="TrafficSpeed"><averageVehicleSpeed><speed>{}</speed>
</averageVehicleSpeed></basicData></measuredValue></measuredValue></siteMeasurements>"""
ABSURD = ["-5", "-0.001", "NaN", "nan", "INF", "-inf", "1e9", "201", "1e400", "", "fast", "5O", "١٠٠٠"]


def values(answer: Decoded) -> dict[str, float]:
    """Speeds by entity."""
    return {row.entity: row.value for row in answer.records if isinstance(row, Observation)}


@pytest.mark.parametrize("speed", ABSURD)
def test_datex(speed: str) -> None:
    """A site with such a speed is left out and said; its neighbour counts."""
    answer = decode("datex2", MEASURED.format(SITE.format("good", "48.5") + SITE.format("bad", speed)).encode(), context())
    assert values(answer) == {"good": 48.5}
    assert sum(answer.counts.values()) == 1, answer.counts
    assert answer.findings[0].where == "bad"


def test_datex_without_a_vehicle() -> None:
    """Minus one means that none came by: no speed, and no fault."""
    answer = decode("datex2", MEASURED.format(SITE.format("a", "-1") + SITE.format("b", "0")).encode(), context())
    assert values(answer) == {"b": 0.0}
    assert not answer.counts


@pytest.mark.parametrize("speed", [-5, float("nan"), float("inf"), 1e9, 201, 10**400, "fast", None, True, [], {}])
def test_waze(speed: object) -> None:
    """The same for jams; JSON has no word for NaN, but senders write it."""
    jam = {"line": [{"x": -8.61, "y": 41.15}, {"x": -8.60, "y": 41.15}], "pubMillis": NOW * 1000}
    jams = [{**jam, "uuid": 1, "speedKMH": 7.5}, {**jam, "uuid": 2, "speedKMH": speed}]
    answer = decode("waze-ccp", json.dumps({"endTimeMillis": NOW * 1000, "jams": jams}).encode(), context())
    found = values(answer)
    assert "jams:2" not in found
    assert found in ({"jams:1": 7.5}, {})
    assert sum(answer.counts.values()) >= 1 or answer.verdict == "reject"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["AB", "BC", "CB"]), st.floats(), st.sampled_from(["speed", "travel_time", "flow"])),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_whatever_is_stored_no_time_is_absurd(rows: list[tuple[str, float, str]]) -> None:
    """Even records no adapter would make lead to times between those of 200 km/h and of the slowest queue."""
    drawn = draw("A B C\n---\nAB\nBC\n")
    records = [
        Observation(
            feed="t", entity=str(k), observed_at=NOW, received_at=NOW, valid_until=NOW + 600, kind=kind, value=value, unit="",
            provenance=Provenance("", "", "x"), path=tuple(point(drawn, letter) for letter in letters),
        )
        for k, (letters, value, kind) in enumerate(rows)
    ]  # fmt: skip
    with np.errstate(all="ignore"):  # numbers beyond float32
        traffic = build_traffic(LinkMatcher(drawn.engine), records, [], 1, NOW)
    time_ms = drawn.engine.metric(StreetMode.CAR, traffic.arc_speed_kmh).arc_time_ms
    kmh = drawn.graph.arc_length_m * 3600.0 / time_ms
    assert (time_ms != UNREACHABLE_MS).all()
    assert ((kmh > 1.9) & (kmh < 201.0)).all()
