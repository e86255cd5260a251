"""A real Envoy in front of a real gRPC server: JSON, streams, errors, gRPC-Web, CORS, services that move."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
import pytest_asyncio
from traboule.common.v1 import geo_pb2
from traboule.feeds.v1 import feed_pb2, feeds_service_pb2, feeds_service_pb2_grpc
from traboule.parking.v1 import parking_service_pb2, parking_service_pb2_grpc

from services.common.errors import ConfigError, NotFound, PortInUse
from services.common.processes import is_alive
from services.common.rules import Role
from services.common.server import RunningServer
from services.common.tokens import issue_development_token
from services.edge.config import EdgeConfig
from services.edge.envoy import EnvoyEdge
from tests.builders.servers import config_for, grpc_server
from tests.builders.waiting import PATIENCE_S

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Parking(parking_service_pb2_grpc.ParkingServiceServicer):
    """Answers with what it was asked, so that tests see what came through."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def ListCarParks(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802
        """One car park, named after the city header."""
        city = dict(context.invocation_metadata()).get("traboule-city", "")
        park = parking_service_pb2.CarPark(car_park_id=self.name, name=city, location=request.near, capacity_spaces=0)
        return parking_service_pb2.ListCarParksResponse(car_parks=[park], next_page_token=str(request.page_size))

    async def PredictAvailability(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802, ARG002
        """One forecast for each time."""
        forecasts = [parking_service_pb2.AvailabilityForecast(at_unix_s=at, q50_free_spaces=7) for at in request.at_unix_s]
        return parking_service_pb2.PredictAvailabilityResponse(
            car_parks=[parking_service_pb2.CarParkForecast(forecasts=forecasts)]
        )

    async def WatchCarParks(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802, ARG002
        """Three messages."""
        for identifier in request.car_park_ids:
            yield parking_service_pb2.WatchCarParksResponse(car_parks=[parking_service_pb2.CarPark(car_park_id=identifier)])


class Feeds(feeds_service_pb2_grpc.FeedsServiceServicer):
    """Knows one feed."""

    async def GetFeed(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802, ARG002
        """The feed asked for."""
        if request.feed_id == "gone":
            raise NotFound("there is no feed 'gone': list them with /v1/feeds", field="feed_id")
        return feeds_service_pb2.GetFeedResponse(feed=feed_pb2.Feed(feed_id=request.feed_id))

    async def PushFeedFile(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802, ARG002
        """Size of the content."""
        return feeds_service_pb2.PushFeedFileResponse(
            delivery=feed_pb2.Delivery(feed_id=request.feed_id, size_bytes=len(request.content))
        )


@dataclass
class City:
    """What the tests of this file share."""

    home: Path
    server: RunningServer
    edge: EnvoyEdge
    http: httpx.AsyncClient
    token: str


def register_as(name: str):  # type: ignore[no-untyped-def]
    """Registration of both servicers."""

    def register(server: grpc.aio.Server) -> list[str]:
        parking_service_pb2_grpc.add_ParkingServiceServicer_to_server(Parking(name), server)
        feeds_service_pb2_grpc.add_FeedsServiceServicer_to_server(Feeds(), server)
        return ["traboule.parking.v1.ParkingService", "traboule.feeds.v1.FeedsService"]

    return register


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[City]:
    """A server with all interceptors, an Envoy before it, and a client with a development token."""
    home = tmp_path_factory.mktemp("home")
    config = config_for(home)
    async with grpc_server(config, register_as("first")) as server:
        edge = await EnvoyEdge.start({"ingest": server.address}, EdgeConfig(), home / "run" / "edge")
        token = issue_development_token(home, Role.ADMINISTRATOR)
        async with httpx.AsyncClient(
            base_url=edge.url, headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE_S
        ) as http:
            yield City(home, server, edge, http, token)
        edge.stop()
        assert not is_alive(edge.child.pid)


async def test_a_json_call_reaches_the_service_with_city_and_token(city: City) -> None:
    """Query parameters become request fields, metadata pass through, the answer is camel case with defaults written."""
    query = {"near.latDeg": 41.15, "near.lonDeg": -8.61, "pageSize": 3}
    answer = await city.http.get("/v1/carParks", params=query, headers={"traboule-city": "porto"})
    assert answer.status_code == 200, answer.text
    park = answer.json()["carParks"][0]
    assert (park["carParkId"], park["name"], park["capacitySpaces"]) == ("first", "porto", 0)
    assert park["location"] == {"latDeg": 41.15, "lonDeg": -8.61}
    assert answer.json()["nextPageToken"] == "3"


async def test_a_json_body_is_taken_and_64_bit_numbers_are_strings(city: City) -> None:
    """Numbers may be given plainly; they come back as protobuf's JSON mapping writes them."""
    answer = await city.http.post("/v1/carParks:predict", json={"atUnixS": [1785225600, "1785229200"]})
    assert [f["atUnixS"] for f in answer.json()["carParks"][0]["forecasts"]] == ["1785225600", "1785229200"]


async def test_identifiers_in_paths_may_hold_any_character(city: City) -> None:
    """Escaped or not, a colon and a slash arrive as they were meant."""
    for path, meant in (("stcp:1", "stcp:1"), ("stcp%3A1", "stcp:1"), ("a%2Fb%20c", "a/b c")):
        answer = await city.http.get(f"/v1/feeds/{path}")
        assert answer.json()["feed"]["feedId"] == meant


async def test_known_fields_pass_in_either_spelling_whatever_texts_hold(city: City) -> None:
    """Snake case and camel case, blanks, nulls, and quotes, braces and escapes inside strings."""
    body = ' {\n"car_park_ids" : ["a\\"},{\\\\", "é\\u00e9"] ,"atUnixS":[ 1 , 2 ]}\n'
    answer = await city.http.post("/v1/carParks:predict?", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["carParks"][0]["forecasts"]) == 2


async def test_a_large_body_is_taken(city: City) -> None:
    """A feed of 8 MiB, pushed from a page."""
    content = json.dumps({"content": "A" * (8 * 2**20)})
    answer = await city.http.post("/v1/feeds/metro:push", content=content, headers={"content-type": "application/json"})
    assert answer.json()["delivery"]["sizeBytes"] == str(6 * 2**20)


async def test_a_stream_is_one_object_a_line(city: City) -> None:
    """Server streaming arrives as newline-delimited JSON."""
    async with city.http.stream("GET", "/v1/carParks:watch", params={"carParkIds": ["a", "b", "c"]}) as answer:
        lines = [json.loads(line) async for line in answer.aiter_lines() if line]
    assert [line["carParks"][0]["carParkId"] for line in lines] == ["a", "b", "c"]


async def test_errors_carry_their_details(city: City) -> None:
    """The body of an error is the service's own google.rpc.Status, with the fields that were wrong."""
    answer = await city.http.get("/v1/carParks", params={"near.latDeg": 99, "pageSize": -1})
    assert answer.status_code == 400
    assert answer.json()["code"] == 3
    violations = next(d for d in answer.json()["details"] if d["@type"].endswith("BadRequest"))["fieldViolations"]
    assert {violation["field"] for violation in violations} == {"near.lat_deg", "page_size"}
    missing = await city.http.get("/v1/feeds/gone")
    assert (missing.status_code, missing.json()["code"]) == (404, 5)
    assert "list them with" in missing.json()["message"]


async def test_callers_without_token_are_refused(city: City) -> None:
    """The edge adds no trust: the service sees no token and says so, although the call comes from this machine."""
    async with httpx.AsyncClient(base_url=city.edge.url, timeout=PATIENCE_S) as stranger:
        answer = await stranger.get("/v1/carParks")
    assert (answer.status_code, answer.json()["code"]) == (401, 16)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("GET", "/v1/carParks?pagesize=3", None, 400, "pagesize"),
        ("GET", "/v1/nothing", None, 404, "/v1/nothing"),
        ("POST", "/v1/carParks:predict", '{"atUnixS": [1], "carPark": "x"}', 400, "it has: atUnixS, carParkIds"),
        ("PUT", "/v1/feeds/metro", '{"kind": 1, "intervall": 3}', 400, "traboule.feeds.v1.Feed"),
        (
            "POST",
            "/v1/journeys:plan",
            '{"origin": {"point": {"lat_deg": 1, "lng": 2}}}',
            400,
            "'lng' in traboule.common.v1.LatLng",
        ),
        ("POST", "/v1/rounds", '{"problem": {"shipments": [{"loads": [1]}, {"weight": 1}]}}', 400, "'weight'"),
        ("POST", "/v1/carParks:predict", '{"atUnixS": [1', 400, ""),
        ("POST", "/v1/carParks:predict", '{"atUnixS": "noon"}', 400, ""),
        ("GET", "/v1/rounds", None, 503, "healthy"),
    ],
)
async def test_what_the_contract_does_not_know_is_refused_in_json(
    city: City, method: str, path: str, body: str | None, status: int, word: str
) -> None:
    """Unknown parameters and paths, broken bodies and services that are away: the right status and a JSON body."""
    answer = await city.http.request(method, path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert word in answer.json()["message"]
    assert answer.json()["code"] > 0


async def test_grpc_web_calls_are_answered(city: City) -> None:
    """A framed protobuf request by HTTP/1.1 gets a message frame and a trailer frame."""
    request = parking_service_pb2.ListCarParksRequest(near=geo_pb2.LatLng(lat_deg=41, lon_deg=-8)).SerializeToString()
    answer = await city.http.post(
        "/traboule.parking.v1.ParkingService/ListCarParks",
        content=b"\0" + struct.pack(">I", len(request)) + request,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
    )
    flag, length = answer.content[0], struct.unpack(">I", answer.content[1:5])[0]
    message = parking_service_pb2.ListCarParksResponse.FromString(answer.content[5 : 5 + length])
    assert (flag, message.car_parks[0].car_park_id) == (0, "first")
    assert answer.content[5 + length] == 0x80
    assert b"grpc-status:0" in answer.content[5 + length :]


async def test_native_grpc_passes_through(city: City) -> None:
    """The same port speaks plain gRPC; errors keep their status."""
    async with grpc.aio.insecure_channel(city.edge.address) as channel:
        parking = parking_service_pb2_grpc.ParkingServiceStub(channel)
        metadata = (("authorization", f"Bearer {city.token}"),)
        answer = await parking.ListCarParks(parking_service_pb2.ListCarParksRequest(), metadata=metadata)
        assert answer.car_parks[0].car_park_id == "first"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await parking.ListCarParks(parking_service_pb2.ListCarParksRequest())
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:5173", True),
        ("http://127.0.0.1:8000", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
    ],
)
async def test_pages_of_this_machine_may_call(city: City, origin: str, allowed: bool) -> None:
    """CORS lets loopback origins in and no others."""
    asked = {"origin": origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    answer = await city.http.options("/v1/carParks:predict", headers=asked)
    assert (answer.headers.get("access-control-allow-origin") == origin) is allowed


async def test_the_description_is_served(city: City) -> None:
    """`/openapi.json` needs no token."""
    async with httpx.AsyncClient(base_url=city.edge.url, timeout=PATIENCE_S) as stranger:
        answer = await stranger.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["paths"]["/v1/carParks"]["get"]["operationId"] == "ParkingService_ListCarParks"


async def test_health_says_no_while_services_are_missing(city: City) -> None:
    """`/healthz` is 503 as journeys, rounds and signals do not run here."""
    assert (await city.http.get("/healthz")).status_code == 503


async def test_a_service_that_moves_is_followed(city: City) -> None:
    """After `update` calls go to the new address, without a restart; then back."""
    async with grpc_server(config_for(city.home), register_as("second")) as moved:
        assert city.edge.update({"ingest": moved.address})
        assert not city.edge.update({"ingest": moved.address})
        await wait_for_answers_by(city, "second")
        assert city.edge.update({"ingest": city.server.address})
        await wait_for_answers_by(city, "first")


async def wait_for_answers_by(city: City, name: str) -> None:
    """Ask until the server of this name answers."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await city.http.get("/v1/carParks")
            if answer.status_code == 200 and answer.json()["carParks"][0]["carParkId"] == name:
                return
            await asyncio.sleep(0.05)


async def test_a_taken_port_is_named(city: City, tmp_path: Path) -> None:
    """A second edge on the same port stops with a sentence that says which setting to change."""
    port = int(city.edge.address.rsplit(":", 1)[1])
    with pytest.raises(PortInUse, match="TRABOULE_EDGE_PORT"):
        await EnvoyEdge.start({}, EdgeConfig(port=port), tmp_path)


async def test_wrong_addresses_are_named(tmp_path: Path) -> None:
    """An upstream without port is refused before anything starts."""
    with pytest.raises(ConfigError, match="journeys"):
        await EnvoyEdge.start({"journeys": "localhost"}, EdgeConfig(), tmp_path)
