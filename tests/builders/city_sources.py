"""A local server that answers as Nominatim, Overpass, a CKAN portal and GTFS publishers do."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PLACE = {
    "place_id": 1,
    "licence": "Data © OpenStreetMap contributors, ODbL 1.0.",
    "osm_type": "relation",
    "osm_id": 9,
    "lat": "41.15",
    "lon": "-8.62",
    "category": "boundary",
    "type": "administrative",
    "place_rank": 16,
    "importance": 0.6,
    "addresstype": "city",
    "name": "Vilar",
    "display_name": "Vilar, Porto, Portugal",
    "boundingbox": ["41.14", "41.16", "-8.63", "-8.61"],
    "geojson": {
        "type": "Polygon",
        "coordinates": [[[-8.63, 41.14], [-8.61, 41.14], [-8.61, 41.16], [-8.63, 41.16], [-8.63, 41.14]]],
    },
}


@dataclass
class CitySources:
    """What the server answers, which a test may change, and what it was asked."""

    osm: bytes
    gtfs: bytes
    place: list[dict[str, object]] = field(default_factory=lambda: [dict(PLACE)])
    url: str = ""
    asked: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    etag: str = '"1"'
    zones: bytes = b""

    def answer(self, path: str, if_none_match: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a path."""
        self.asked.append(path)
        if path.startswith("/nominatim/search"):
            return 200, "application/json", json.dumps(self.place).encode()
        if path == "/overpass/interpreter":
            return 200, "application/osm3s+xml", self.osm
        if path == "/zfe.geojson":
            return 200, "application/geo+json", self.zones
        if path == "/feed.zip":
            return (304, "", b"") if if_none_match == self.etag else (200, "application/zip", self.gtfs)
        if path == "/api/3/action/package_show?id=horarios":
            old, new = (
                {"url": f"{self.url}/{name}", "format": "ZIP", "created": date}
                for name, date in (("old.zip", "2020-01-01"), ("feed.zip", "2026-01-01"))
            )
            return 200, "application/json", json.dumps({"success": True, "result": {"resources": [new, old]}}).encode()
        if path == "/html":
            return 200, "text/html", b"<html>Please log in</html>"
        return 404, "text/plain", b"no such thing"


@contextmanager
def serve_sources(sources: CitySources) -> Iterator[CitySources]:
    """Run the server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*sources.answer(self.path, self.headers.get("If-None-Match", "")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            sources.queries += parse_qs(body).get("data", [])
            self._send(*sources.answer(urlsplit(self.path).path, ""))

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if self.path == "/feed.zip":
                self.send_header("ETag", sources.etag)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sources.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield sources
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
