"""Turn-by-turn instructions of drawn junctions, as text."""

import numpy as np
import pytest

from routing.errors import InvalidInput
from routing.model.modes import StreetMode
from routing.street.instruction_texts import distance, onto, ordinal
from routing.street.instructions import build_instructions, side_on_arrival
from tests.builders.streets import Drawn, draw


def say(
    drawn: Drawn, start: str, end: str, language: str = "en", mode: StreetMode = StreetMode.CAR, side: int = 0
) -> list[str]:
    """Instructions from the middle of one street to the middle of another."""
    path = drawn.engine.find_route(drawn.engine.metric(mode), drawn.at(start), 0, drawn.at(end), 0)
    assert path is not None
    rows = build_instructions(path, mode, language, side)
    assert sum(row.length_m for row in rows) == pytest.approx(path.length_m, abs=0.5)
    assert [row.first_point for row in rows] == sorted(row.first_point for row in rows)
    return [f"{row.text} ({row.distance})" if row.distance else row.text for row in rows]


CROSS = """
  A
B C D
  E
---
BC name=Rue_de_la_République
CD name=Rue_de_la_République
AC name=Avenue_Foch
CE name=Boulevard_des_Belges
"""


def test_a_right_and_a_left_turn() -> None:
    """Distances to the next instruction; the side of the destination."""
    drawn = draw(CROSS)
    assert say(drawn, "BC", "CE", side=1) == [
        "Head east on Rue de la République (50 m)",
        "Turn right onto Boulevard des Belges (50 m)",
        "You have arrived, on the right",
    ]
    assert say(drawn, "BC", "CA", "fr", side=-1) == [
        "Partez vers l'est sur la rue de la République (50 m)",
        "Tournez à gauche sur l'avenue Foch (50 m)",
        "Vous êtes arrivé, à gauche",
    ]
    assert say(drawn, "DC", "CE", "pt")[1] == "Vire à esquerda no Boulevard des Belges (50 m)"


def test_going_straight_over_a_junction_is_not_worth_a_word() -> None:
    """The same street goes on; a new name on it is told."""
    drawn = draw(CROSS)
    assert say(drawn, "BC", "CD") == ["Head east on Rue de la République (100 m)", "You have arrived"]
    assert say(drawn, "AC", "CE", "fr") == [
        "Partez vers le sud sur l'avenue Foch (50 m)",
        "Continuez sur le boulevard des Belges (50 m)",
        "Vous êtes arrivé",
    ]


ROUNDABOUT = """
      A
      B
F E       C D
      G
      H
---
AB name=Rua_do_Norte
CD name=Rua_do_Este
GH name=Rua_do_Sul
EF name=Rua_do_Oeste
BE junction=roundabout oneway=yes
EG junction=roundabout oneway=yes
GC junction=roundabout oneway=yes
CB junction=roundabout oneway=yes
"""


@pytest.mark.parametrize(
    ("end", "language", "text"),
    [
        ("EF", "en", "At the roundabout, take the 1st exit onto Rua do Oeste"),
        ("GH", "en", "At the roundabout, take the 2nd exit onto Rua do Sul"),
        ("CD", "en", "At the roundabout, take the 3rd exit onto Rua do Este"),
        ("EF", "fr", "Au rond-point, prenez la 1re sortie sur la rua do Oeste"),
        ("GH", "fr", "Au rond-point, prenez la 2e sortie sur la rua do Sul"),
        ("CD", "pt", "Na rotunda, tome a 3.ª saída na Rua do Este"),
    ],
)
def test_exits_of_a_roundabout_are_counted(end: str, language: str, text: str) -> None:
    """Arriving from the north, going round to the left of the picture."""
    told = say(draw(ROUNDABOUT), "AB", end, language)
    assert len(told) == 3
    assert told[1].startswith(text + " (")


def test_exits_one_may_not_take_do_not_count() -> None:
    """The western street is a way out of the roundabout for nobody who drives."""
    drawn = draw(ROUNDABOUT.replace("EF name=Rua_do_Oeste", "FE name=Rua_do_Oeste oneway=yes"))
    assert say(drawn, "AB", "GH")[1].startswith("At the roundabout, take the 1st exit onto Rua do Sul")


def test_motorway_exit_merge_and_fork() -> None:
    """Off the motorway, and onto it."""
    drawn = draw("""
A   B   C   D
      E   F
    G       H
---
AB highway=motorway oneway=yes name=A_25
BC highway=motorway oneway=yes name=A_25
CD highway=motorway oneway=yes name=A_25
BE highway=motorway_link oneway=yes
FC highway=motorway_link oneway=yes
EF name=Rua_da_Ponte
EG
FH
DA highway=motorway oneway=yes name=A_25
""")
    off = say(drawn, "AB", "EF")
    assert off[0].startswith("Head east on A 25")
    assert off[1].startswith("Take the exit")
    on = say(drawn, "EF", "CD", "fr")
    assert any(row.startswith("Insérez-vous sur l'A 25") for row in on)


def test_passing_an_exit_of_the_motorway_is_not_worth_a_word() -> None:
    """A ramp leaves to the right; the motorway goes on under its name."""
    drawn = draw("""
A   B     C
      D     E
---
AB highway=motorway oneway=yes name=A_25
BC highway=motorway oneway=yes name=A_25
BD highway=motorway_link oneway=yes
DE
CA highway=motorway oneway=yes name=A_25
EA highway=motorway_link oneway=yes
""")
    assert [row.split(" (")[0] for row in say(drawn, "AB", "BC")] == ["Head east on A 25", "You have arrived"]


def test_turning_round() -> None:
    """A dead end with its only way back."""
    drawn = draw("A B C\n  D\n---\nAB name=Main_Street oneway=yes\nBC name=Main_Street\nBD name=Low_Street\nDA")
    path = drawn.engine.find_route(drawn.engine.metric(StreetMode.CAR), drawn.at("BC"), 0, drawn.at("BD"), 0)
    assert path is not None
    told = say(drawn, "BC", "BD")
    assert told[0].startswith("Head west")
    assert side_on_arrival(path, int(path.arcs[-1]), 1) == 1
    assert side_on_arrival(path, int(drawn.graph.arc_reverse[path.arcs[-1]]), 1) == -1


def test_unknown_language() -> None:
    """The languages there are are said."""
    drawn = draw(CROSS)
    path = drawn.engine.find_route(drawn.engine.metric(StreetMode.CAR), drawn.at("BC"), 0, drawn.at("CD"), 0)
    assert path is not None
    with pytest.raises(InvalidInput, match="en, fr, pt"):
        build_instructions(path, StreetMode.CAR, "de")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Rue Mercière", " sur la rue Mercière"),
        ("Boulevard Vivier-Merle", " sur le boulevard Vivier-Merle"),
        ("Avenue Jean Jaurès", " sur l'avenue Jean Jaurès"),
        ("Impasse du Pin", " sur l'impasse du Pin"),
        ("Quai Perrache", " sur le quai Perrache"),
        ("Place Bellecour", " sur la place Bellecour"),
        ("A 43", " sur l'A 43"),
        ("D306", " sur la D306"),
        ("N 7", " sur la N 7"),
        ("IC 23", " sur l'IC 23"),
        ("Largo do Toural", " sur le largo do Toural"),
        ("Grande Rue", " sur Grande Rue"),
        ("", ""),
    ],
)
def test_french_articles(name: str, text: str) -> None:
    """By the kind of street; unknown kinds go without."""
    assert onto("fr", name) == text


@pytest.mark.parametrize(
    ("metres", "english", "french"),
    [(3, "10 m", "10 m"), (47, "50 m", "50 m"), (94, "90 m", "90 m"), (180, "200 m", "200 m"), (960, "950 m", "950 m"),
     (980, "1 km", "1 km"), (1440, "1.4 km", "1,4 km"), (9949, "9.9 km", "9,9 km"), (12_600, "13 km", "13 km")],
)  # fmt: skip
def test_distances_as_one_says_them(metres: float, english: str, french: str) -> None:
    """No false precision."""
    assert (distance("en", metres), distance("fr", metres)) == (english, french)


def test_ordinals() -> None:
    """English knows exceptions."""
    assert [ordinal("en", n) for n in (1, 2, 3, 4, 11, 12, 21)] == ["1st", "2nd", "3rd", "4th", "11th", "12th", "21st"]
    assert np.unique([ordinal("fr", n) for n in (1, 2)]).tolist() == ["1re", "2e"]
