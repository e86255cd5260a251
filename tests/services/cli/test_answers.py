"""What commands make of answers: nothing dropped, nothing taken for markup, JSON that is JSON."""

import datetime as dt
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from rich.text import Text
from traboule.journeys.v1 import itinerary_pb2, places_pb2
from traboule.parking.v1 import parking_service_pb2
from traboule.rounds.v1 import rounds_service_pb2

from services.cli import output
from services.cli.client import CityClient
from services.cli.context import CommandContext, approximation
from services.cli.journeys import show_itinerary
from services.cli.root import root
from services.cli.tours import opening_hours, unused_name
from services.common.clock import CityClock
from services.common.config import load_config

PORTO = ZoneInfo("Europe/Lisbon")


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Method → answer that the services give; requests land under ``asked``."""
    monkeypatch.setenv("TRABOULE_HOME", str(tmp_path))
    monkeypatch.delenv("TRABOULE_CITIES", raising=False)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "clock").write_text(CityClock(1_785_223_800.0, 0.0, 0.0).setting())
    table: dict[str, Any] = {"asked": []}

    def call(_self: CityClient, _service: str, _stub: Any, method: str, request: Any) -> Any:
        table["asked"].append((method, request))
        return table[method]

    monkeypatch.setattr(CityClient, "call", call)
    return table


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(root, arguments, prog_name="traboule")


@pytest.mark.parametrize("name", ["Foo [red] bar", "closed [/b] here", "[link=x]y"])
def test_brackets_of_others_are_shown_as_they_are(name: str) -> None:
    """Stops, alerts and orders may be called anything."""
    with output.console.capture() as captured:
        output.print_table(("what",), [(name,), (Text("ok", style="green"),)], title=name)
        output.say(f"[bold]{output.plain(name)}[/]")
    assert captured.get().count(name) == 3


def test_an_alert_with_brackets_does_not_break_a_journey() -> None:
    """A header that rich would take for a tag it never opened."""
    itinerary = itinerary_pb2.Itinerary()
    leg = itinerary.legs.add(mode=itinerary_pb2.MODE_TRANSIT)
    leg.transit.route.short_name, leg.transit.headsign = "A [x]", "Estádio [/]"
    for name in ("Trindade [/b]", "Bolhão"):
        leg.transit.calls.add().stop.name = name
    leg.alerts.add(header="works [/b] until May")
    context: Any = type("Context", (), {"timezone": PORTO})
    with output.console.capture() as captured:
        show_itinerary(context, itinerary)
    shown = " ".join(captured.get().split())
    assert "works [/b] until May" in shown
    assert "A [x] Estádio [/]: Trindade [/b] → Bolhão" in shown


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (
            "Rua X 100",
            places_pb2.Place(name="Rua X", kind=places_pb2.PLACE_KIND_STREET, approximate=True),
            "the house number 100 is not in the map; the position of the street Rua X is taken",
        ),
        (
            "Hotel Foo Bar",
            places_pb2.Place(name="Hotel Foo", kind=places_pb2.PLACE_KIND_POINT_OF_INTEREST, approximate=True),
            "not all of 'Hotel Foo Bar' was found; Hotel Foo comes nearest",
        ),
        ("Rua 25 de Abril", places_pb2.Place(name="Rua 25 de Abril", kind=places_pb2.PLACE_KIND_STREET), ""),
    ],
)
def test_what_was_not_found_is_said(text: str, place: places_pb2.Place, said: str) -> None:
    """The street instead of the house is no secret."""
    assert approximation(text, place) == said


def test_rounds_without_a_plan_are_json_too(answers: dict[str, Any]) -> None:
    """A queued job is an answer of the service."""
    answers["GetRounds"] = rounds_service_pb2.GetRoundsResponse(
        rounds=rounds_service_pb2.Rounds(rounds_id="r1", state=rounds_service_pb2.ROUNDS_STATE_QUEUED)
    )
    assert json.loads(run("rounds", "show", "r1", "--json").stdout) == {"rounds_id": "r1", "state": "ROUNDS_STATE_QUEUED"}


@pytest.mark.parametrize(("state", "said"), [("CANCELLED", "cancelled"), ("DONE", "nothing to cancel: these rounds are done")])
def test_cancelling_says_what_came_of_it(answers: dict[str, Any], state: str, said: str) -> None:
    """Rounds that are planned are not cancelled."""
    rounds = rounds_service_pb2.Rounds(state=rounds_service_pb2.RoundsState.Value(f"ROUNDS_STATE_{state}"))
    answers["CancelRounds"] = rounds_service_pb2.CancelRoundsResponse(rounds=rounds)
    assert run("rounds", "cancel", "r1").stdout.strip() == said


def test_parking_forecasts_are_in_the_json(answers: dict[str, Any]) -> None:
    """What was asked for with --in is not left out."""
    pb = parking_service_pb2
    answers["ListCarParks"] = pb.ListCarParksResponse(car_parks=[pb.CarPark(car_park_id="p")])
    forecast = pb.AvailabilityForecast(at_unix_s=5, q50_free_spaces=7)
    answers["PredictAvailability"] = pb.PredictAvailabilityResponse(
        car_parks=[pb.CarParkForecast(car_park_id="p", forecasts=[forecast])]
    )
    shown = json.loads(run("parking", "--in", "30", "--json").stdout)
    assert shown["car_parks"] == [{"car_park_id": "p"}]
    assert shown["forecasts"][0]["forecasts"][0]["q50_free_spaces"] == 7


def test_a_guess_about_a_car_park_is_marked(answers: dict[str, Any]) -> None:
    """What nobody counts is told apart from what is counted, and the sign is explained."""
    pb = parking_service_pb2
    parks = [pb.CarPark(car_park_id=name, name=name) for name in ("silo", "square")]
    answers["ListCarParks"] = pb.ListCarParksResponse(car_parks=parks)
    rows = [
        pb.AvailabilityForecast(q50_free_spaces=7, free_probability=0.97, basis=pb.AvailabilityForecast.BASIS_LIVE),
        pb.AvailabilityForecast(q50_free_spaces=30, free_probability=0.25, basis=pb.AvailabilityForecast.BASIS_ASSUMED),
    ]
    forecasts = [pb.CarParkForecast(car_park_id=one.car_park_id, forecasts=[row]) for one, row in zip(parks, rows, strict=True)]
    answers["PredictAvailability"] = pb.PredictAvailabilityResponse(car_parks=forecasts)
    lines = run("parking", "--in", "30").stdout.splitlines()
    assert [line.split()[-2:] for line in lines[1:3]] == [["7", "(97%)"], ["30", "(25%)†"]]
    assert any(line.startswith("† = nobody counts there") for line in lines)


def test_opening_hours_are_of_the_day_of_the_tour() -> None:
    """Also tomorrow's, past midnight, and with one end only."""

    def at(text: str) -> int:
        return int(dt.datetime.fromisoformat(text).replace(tzinfo=PORTO).timestamp())

    tomorrow = at("2026-07-29 08:30")
    hours = opening_hours("10:00-11:30", PORTO, tomorrow)
    assert (hours.start_unix_s, hours.end_unix_s) == (at("2026-07-29 10:00"), at("2026-07-29 11:30"))
    night = opening_hours("22:00-02:00", PORTO, tomorrow)
    assert night.end_unix_s == at("2026-07-30 02:00")
    assert opening_hours("10:00", PORTO, tomorrow).end_unix_s == 0


def test_a_place_may_be_visited_twice() -> None:
    """Visits have names of their own."""
    assert unused_name("Ribeira", []) == "Ribeira"
    assert unused_name("Ribeira", ["Ribeira"]) == "Ribeira (2)"
    assert unused_name("Ribeira", ["Ribeira", "Ribeira (2)"]) == "Ribeira (3)"


@pytest.mark.usefixtures("answers")
def test_two_ends_of_a_tour_exclude_each_other() -> None:
    """Status 2: wrongly called."""
    answer = run("tour", "41.15,-8.61", "41.16,-8.62", "--end", "41.17,-8.63", "--open-end")
    assert answer.exit_code == 2
    assert "not both" in answer.output


def test_what_a_name_was_taken_for_is_said_once(answers: dict[str, Any]) -> None:
    """Also where a command asks for the same place again."""
    answers["SearchPlaces"] = places_pb2.SearchPlacesResponse(places=[places_pb2.Place(name="Trindade", locality="Porto")])
    context = CommandContext(load_config())
    with output.console.capture() as captured:
        assert context.resolve("trindade") == context.resolve("trindade")
    assert captured.get().count("trindade → Trindade, Porto") == 1
