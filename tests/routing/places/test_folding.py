"""Folding: what people type and what maps say become the same words."""

import pytest

from routing.places.folding import fold_words


@pytest.mark.parametrize(
    ("language", "a", "b"),
    [
        ("pt", "R. S.TA CATARINA, 100", "Rua de Santa Catarina 100"),
        ("pt", "AV. ALIADOS", "avenida aliados"),
        ("pt", "EST. S.BENTO", "Estação São Bento"),
        ("pt", "PR. D. JOÃO I", "praça dom joao I"),
        ("pt", "Pç. da Batalha", "Praca da Batalha"),
        ("de", "Hauptstr. 12", "Hauptstraße 12"),
        ("de", "Bergheimer Str.", "BERGHEIMER STRASSE"),
        ("de", "Universitaet", "Universität"),
        ("de", "Heidelberg Hbf", "Heidelberg Hauptbahnhof"),
        ("fr", "Bd. de l'Hôpital", "boulevard de l'hopital"),
        ("fr", "Pl. St-Jean", "Place Saint Jean"),
    ],
)
def test_same_words(language: str, a: str, b: str) -> None:
    """Two spellings fold alike, but for the small words."""
    small = {"de", "do", "da", "dos"}
    assert [w for w in fold_words(a, (language,)) if w not in small] == [
        w for w in fold_words(b, (language,)) if w not in small
    ]


def test_other_languages_keep_their_words() -> None:
    """An abbreviation of one language is not expanded in another."""
    assert fold_words("pl. st", ("de",)) == ["platz", "sankt"]
    assert fold_words("pl. st", ("fr",)) == ["place", "saint"]
    assert fold_words("", ("fr",)) == []
