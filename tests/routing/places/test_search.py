"""Search by name: the right place first in Porto, typos and unfinished words, and the kernels against a naive reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidInput
from routing.kernels.place_words import EXACT, NO_MATCH, START, TYPO, TYPO_START, match_words
from routing.model.places import PlaceKind
from routing.places.search import Focus, PlaceSearch
from services.city.snapshot import CitySnapshot


@pytest.fixture(scope="module")
def porto(porto_snapshot: CitySnapshot) -> PlaceSearch:
    """Search over the whole of Porto."""
    return PlaceSearch(porto_snapshot.places)


def first(search: PlaceSearch, text: str) -> tuple[str, PlaceKind]:
    """Name and kind of the best answer."""
    found = search.search(text, 1)[0]
    return search.index.names[found.index], PlaceKind(int(search.index.kind[found.index]))


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("Trindade", "Trindade", PlaceKind.STOP),
        ("sao bento", "São Bento", PlaceKind.STOP),
        ("S. Bento", "São Bento", PlaceKind.STOP),
        ("Bolhao", "Bolhão", PlaceKind.STOP),
        ("Bolhão", "Bolhão", PlaceKind.STOP),
        ("blohão", "Bolhão", PlaceKind.STOP),
        ("Bolhã", "Bolhão", PlaceKind.STOP),
        ("TRD1", "Trindade", PlaceKind.STOP),
        ("Rua de Santa Catarina 100", "Rua de Santa Catarina", PlaceKind.STREET),
        ("avenida dos aliados", "Avenida dos Aliados", PlaceKind.STREET),
        ("casa da musica", "Casa da Música", PlaceKind.STOP),
        ("estadio dragao", "Estádio do Dragão", PlaceKind.STOP),
        ("matosinhos", "Matosinhos", PlaceKind.LOCALITY),
        ("campanhã porto", "Porto Campanha", PlaceKind.STOP),
        ("silo auto", "Silo Auto", PlaceKind.CAR_PARK),
    ],
)
def test_best_answer(porto: PlaceSearch, text: str, name: str, kind: PlaceKind) -> None:
    """What a person of Porto would expect first."""
    assert first(porto, text) == (name, kind)


def test_missing_house_number_is_said(porto: PlaceSearch) -> None:
    """The street is found and marked as approximate; without a number it is exact."""
    assert porto.search("Rua de Santa Catarina 100", 1)[0].is_approximate
    assert not porto.search("Rua de Santa Catarina", 1)[0].is_approximate


def test_stops_of_one_name_are_one_place(porto: PlaceSearch) -> None:
    """Trindade is one place with its bus and metro stops."""
    index = porto.index
    place = porto.search("Trindade", 1)[0].index
    assert index.first_stop[place + 1] - index.first_stop[place] >= 7
    assert index.categories[place] == "stop:bus+metro"


def test_focus_brings_the_near_one_first(porto: PlaceSearch) -> None:
    """Of many streets of one name the one at hand is first."""
    index = porto.index
    streets = [i for i, name in enumerate(index.names) if name == "Rua da Igreja"]
    assert len(streets) > 5
    for street in streets:
        focus = Focus(float(index.lat_e7[street]) * 1e-7, float(index.lon_e7[street]) * 1e-7)
        best = porto.search("rua da igreja", 1, focus)[0]
        assert index.names[best.index] == "Rua da Igreja"
        assert best.distance_m < 1500


def test_kinds_limit_and_nonsense(porto: PlaceSearch) -> None:
    """Kinds are a filter, answers are at most `limit`, nonsense has none, and bad questions are refused."""
    found = porto.search("trindade", 5, kinds=frozenset({PlaceKind.STREET}))
    assert {PlaceKind(int(porto.index.kind[hit.index])) for hit in found} == {PlaceKind.STREET}
    assert len(found) == 5
    assert porto.search("xyzzyq") == []
    assert porto.search(" ,. ") == []
    with pytest.raises(InvalidInput, match="at most 200"):
        porto.search("a" * 201)
    with pytest.raises(InvalidInput, match="at least 1"):
        porto.search("a", 0)


def test_scores_fall_and_answers_repeat(porto: PlaceSearch) -> None:
    """Sorted by score, and the same every time."""
    for text in ("rua", "s", "rua da", "praca 3", "r"):
        hits = porto.search(text, 20)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert [hit.index for hit in hits] == [hit.index for hit in porto.search(text, 20)]


def test_every_name_finds_itself(porto: PlaceSearch) -> None:
    """A sample of all places: its own name, asked where it stands, gives a place of that name first or nearly."""
    index = porto.index
    rows = np.random.default_rng(7).choice(len(index), 150, replace=False)
    misses = 0
    for row in rows.tolist():
        focus = Focus(float(index.lat_e7[row]) * 1e-7, float(index.lon_e7[row]) * 1e-7)
        misses += row not in [hit.index for hit in porto.search(index.names[row][:200], 3, focus)]
    assert misses <= 3


def naive(word: str, asked: str) -> int:
    """Quality by trying all edits."""
    if word[:1] != asked[:1]:
        return NO_MATCH
    if word.startswith(asked):
        return EXACT if word == asked else START
    letters = sorted(set(word + asked))
    edits = {asked[:i] + asked[i + 1 :] for i in range(1, len(asked))}
    edits |= {asked[:i] + c + asked[i + 1 :] for i in range(1, len(asked)) for c in letters}
    edits |= {asked[:i] + c + asked[i:] for i in range(1, len(asked) + 1) for c in letters}
    edits |= {asked[:i] + asked[i + 1] + asked[i] + asked[i + 2 :] for i in range(1, len(asked) - 1)}
    if word in edits:
        return TYPO
    return TYPO_START if any(word.startswith(edit) for edit in edits) else NO_MATCH


@settings(max_examples=300)
@given(st.lists(st.text("abç", min_size=1, max_size=6), min_size=1, max_size=8), st.text("abç", min_size=3, max_size=6))
def test_matching_equals_all_edits(words: list[str], asked: str) -> None:
    """The kernel agrees with trying every edit, but for the start rules that cannot matter."""
    letters = np.array([ord(c) for word in words for c in word], np.uint32)
    first_letter = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(np.int64)
    quality = np.zeros(len(words), np.uint8)
    match_words(letters, first_letter, np.array([ord(c) for c in asked], np.uint32), True, quality)
    assert quality.tolist() == [naive(word, asked) for word in words]
