"""Folding of names into comparable words: accents, case, abbreviations.

The same folding is applied when the index is built and when a question is asked, so abbreviations only have to become
*the same*, not to be spelled out for people.
"""

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")

_COMMON = {"st": "saint", "ste": "saint", "dr": "doutor"}

_ABBREVIATIONS: dict[str, dict[str, str]] = {
    "pt": {
        "r": "rua", "av": "avenida", "avd": "avenida", "avda": "avenida", "pc": "praca", "pca": "praca", "pr": "praca",
        "prc": "praca", "pct": "praceta", "pcta": "praceta", "tv": "travessa", "trav": "travessa",
        "lg": "largo", "lgo": "largo",
        "al": "alameda", "alam": "alameda", "estr": "estrada", "est": "estacao", "esc": "escadas", "calc": "calcada",
        "rot": "rotunda", "urb": "urbanizacao", "bo": "bairro", "br": "bairro", "vl": "viela", "hosp": "hospital",
        "univ": "universidade", "fac": "faculdade", "igr": "igreja", "merc": "mercado",
        "cent": "central", "zona": "zona",
        "s": "sao", "sta": "santa", "sto": "santo", "sra": "senhora", "sr": "senhor", "n": "nossa",
        "na": "nossa", "sa": "senhora", "ns": "nossa",
        "d": "dom", "dna": "dona", "dr": "doutor", "dra": "doutora", "prof": "professor",
        "eng": "engenheiro", "arq": "arquiteto",
        "arquitecto": "arquiteto", "gen": "general", "cel": "coronel", "cap": "capitao",
        "alm": "almirante", "mal": "marechal",
        "com": "comendador", "pde": "padre", "pe": "padre", "visc": "visconde", "cons": "conselheiro", "inf": "infante",
    },
    "es": {
        "c": "calle", "av": "avenida", "avda": "avenida", "pl": "plaza", "pza": "plaza",
        "ctra": "carretera", "sta": "santa",
        "sto": "santo",
    },
    "fr": {
        "r": "rue", "av": "avenue", "bd": "boulevard", "bld": "boulevard", "boul": "boulevard",
        "pl": "place", "ch": "chemin",
        "che": "chemin", "rte": "route", "imp": "impasse", "all": "allee", "sq": "square",
        "fg": "faubourg", "fbg": "faubourg",
        "st": "saint", "ste": "sainte", "gal": "general", "mal": "marechal", "dr": "docteur",
        "pdt": "president", "gare": "gare",
    },
    "de": {
        "str": "strasse", "pl": "platz", "al": "allee", "st": "sankt", "hbf": "hauptbahnhof",
        "bhf": "bahnhof", "bf": "bahnhof",
        "dr": "doktor", "prof": "professor", "univ": "universitat", "kh": "krankenhaus",
    },
    "it": {
        "v": "via", "vle": "viale", "pza": "piazza", "pzza": "piazza", "p": "piazza", "c": "corso",
        "cso": "corso", "lgo": "largo",
        "s": "san", "sta": "santa", "sto": "santo", "f": "fra", "staz": "stazione",
    },
    "en": {"rd": "road", "ave": "avenue", "blvd": "boulevard", "sq": "square", "ln": "lane"},
}  # fmt: skip

_GERMAN_DIGRAPHS = re.compile(r"(?<![aeq])(a|o|u)e")
_DOTTED = re.compile(r"\b([^\W\d_]{1,2})\.(ta|to|ra|a|o|da|na)\b\.?")
_ORDINAL = str.maketrans({"ª": "a", "º": "o"})


def fold_words(text: str, languages: tuple[str, ...] = ()) -> list[str]:
    """Split a text into folded words, abbreviations made equal.

    Parameters
    ----------
    text : str
        ``"R. S.ta Catarina, 100"``
    languages : tuple of str
        ISO 639-1 codes; the first one that knows an abbreviation decides.

    Returns
    -------
    list of str
        ``["rua", "santa", "catarina", "100"]``
    """
    plain = fold(text, languages)
    plain = _DOTTED.sub(lambda match: match[1] + match[2], plain)
    table = _table(languages)
    words = []
    for word in _WORD.findall(plain):
        replaced = table.get(word, word)
        if "de" in languages and replaced.endswith("str") and len(replaced) > 5:
            replaced += "asse"
        words.append(replaced)
    return words


def fold(text: str, languages: tuple[str, ...] = ()) -> str:
    """Lower case without accents; ``ß`` is ``ss``, and German ``ae oe ue`` are as ``ä ö ü``."""
    lowered = text.translate(_ORDINAL).casefold()
    if lowered.isascii():
        plain = lowered
    else:
        decomposed = unicodedata.normalize("NFKD", lowered)
        plain = "".join(character for character in decomposed if not unicodedata.combining(character))
        plain = plain.replace("ø", "o").replace("ł", "l").replace("œ", "oe").replace("æ", "ae").replace("đ", "d")
    return _GERMAN_DIGRAPHS.sub(r"\1", plain) if "de" in languages else plain


@lru_cache(maxsize=16)
def _table(languages: tuple[str, ...]) -> dict[str, str]:
    table = dict(_COMMON)
    for language in reversed(languages):
        table.update(_ABBREVIATIONS.get(language, {}))
    return table
