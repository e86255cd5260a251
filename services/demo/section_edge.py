"""The same services over REST/JSON."""

from typing import TYPE_CHECKING

import httpx

from services.common.rules import Role
from services.common.tokens import issue_development_token
from services.demo.pictures.page import code, paragraph

if TYPE_CHECKING:
    from services.demo.tour import Tour


async def run(tour: "Tour") -> None:
    """One REST call, and the OpenAPI description."""
    token = issue_development_token(tour.city.config.home, Role.TRANSPORT_OPERATOR)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=tour.city.edge_url, headers=headers, timeout=10.0) as client:
        places = await client.get("/v1/places:search", params={"query": "trindade", "max_places": "3"})
        refused = await client.get("/v1/places:search", params={"query": "trindade"}, headers={"Authorization": "Bearer x"})
        openapi = await client.get("/openapi.json")
    names = [place["name"] for place in places.json().get("places", [])]
    tour.expect(
        places.status_code == httpx.codes.OK and bool(names), f"REST answered {places.status_code}: {places.text[:200]}"
    )
    tour.expect(refused.status_code == httpx.codes.UNAUTHORIZED, f"a wrong token was answered {refused.status_code}")
    paths = len(openapi.json().get("paths", {}))
    tour.expect(openapi.status_code == httpx.codes.OK and paths > 0, "no OpenAPI description")
    tour.say(f"  GET /v1/places:search → {', '.join(names)}; OpenAPI describes {paths} paths; a wrong token is refused")
    command = (
        f"curl -H \"Authorization: Bearer $(.venv/bin/traboule token)\" '{tour.city.edge_url}/v1/places:search?query=trindade'"
    )
    tour.page.add(
        "rest",
        "The same over REST",
        paragraph(
            f"Envoy serves REST/JSON and gRPC-Web from the same contract at {tour.city.edge_url}; OpenAPI at /openapi.json."
        ),
        code(command),
        code(places.text[:1200]),
    )
