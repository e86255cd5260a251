"""All hostile files of the manifest get the expected verdict and code; every code that comes out is documented."""

import json
from pathlib import Path

import pytest

from services.ingest.codes import CODES
from services.ingest.sources import decode
from services.ingest.sources.base import Site, SourceContext
from services.ingest.sources.gtfs_index import GtfsIndex
from tests.builders.feeds import NOW
from tests.builders.shared_data import SHARED, shared

MANIFEST = SHARED / "feeds_nasty" / "manifest.jsonl"
ROWS = [json.loads(line) for line in MANIFEST.read_text("utf-8").splitlines()] if MANIFEST.exists() else []
DOCS = Path(__file__).resolve().parents[4] / "docs" / "feeds.md"


@pytest.fixture(scope="module")
def static() -> GtfsIndex:
    """Index of the manifest's static feed."""
    return GtfsIndex.build(shared("feeds_nasty/gtfs/000_base.zip").read_bytes(), NOW)


@pytest.mark.skipif(not ROWS, reason="needs feeds_nasty beside the checkout (see docs/operating.md)")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_expected_verdict_and_code(row: dict[str, str], static: GtfsIndex) -> None:
    """The adapter decides as the manifest says, and names at least the code the manifest names."""
    body = shared(f"feeds_nasty/{row['file']}").read_bytes()
    sites = {name: Site(name) for name in ("L1", "L2")} if row["kind"] == "datex2" else None
    timely = static if row["kind"] in {"gtfs-rt", "siri-et"} else None
    decoded = decode(row["kind"], body, SourceContext("m", NOW, "Europe/Paris", static=timely, sites=sites))
    assert decoded.verdict == row["expect"], decoded.findings
    assert {code for code in row["code"].split(",") if code} <= set(decoded.codes)
    assert set(decoded.counts) <= set(CODES)
    if decoded.verdict == "reject":
        assert not decoded.records


def test_every_code_is_documented() -> None:
    """`docs/feeds.md` has a row for each code, and none that does not exist."""
    table = DOCS.read_text("utf-8").partition("## Codes")[2]
    rows = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert rows == set(CODES)
