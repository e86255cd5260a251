"""Small building blocks of SVG."""

from collections.abc import Iterable, Sequence
from html import escape

Number = float | int

PALETTE = ("#0b6e99", "#d9480f", "#2b8a3e", "#862e9c", "#c2255c", "#5f3dc4", "#e67700", "#087f5b")
"""Colours of series and rounds; told apart by most colour-blind readers, with line styles as a second cue."""


def number(value: Number) -> str:
    """At most one decimal, no trailing zero: small files."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def tag(name: str, body: str = "", /, **attributes: object) -> str:
    """``<name a="…">body</name>``; underscores in attribute names become dashes, values are escaped, None is left out."""
    inside = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{inside}>{body}</{name}>" if body else f"<{name}{inside}/>"


def text(x: Number, y: Number, content: object, /, **attributes: object) -> str:
    """Text element with its content escaped."""
    return tag("text", escape(str(content)), x=number(x), y=number(y), **attributes)


def path_data(points: Iterable[Sequence[Number]]) -> str:
    """Data of a polyline in relative, rounded coordinates (short)."""
    parts: list[str] = []
    last_x = last_y = 0.0
    for k, point in enumerate(points):
        x, y = round(point[0], 1), round(point[1], 1)
        if k and (x, y) == (last_x, last_y):
            continue
        parts.append(f"M{number(x)} {number(y)}" if not k else f"l{number(x - last_x)} {number(y - last_y)}")
        last_x, last_y = x, y
    return "".join(parts)


def title(content: object) -> str:
    """Tool tip of the element it stands in."""
    return f"<title>{escape(str(content))}</title>"
