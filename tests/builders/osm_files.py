"""Small OSM files (XML) written from plain lists."""

from pathlib import Path
from xml.sax.saxutils import quoteattr

Tags = dict[str, str]


def write_osm(
    path: Path,
    nodes: dict[int, tuple[float, float, Tags]],
    ways: dict[int, tuple[list[int], Tags]],
    relations: dict[int, tuple[list[tuple[str, int, str]], Tags]] | None = None,
) -> Path:
    """Write nodes (lat, lon, tags), ways (node ids, tags) and relations ((type, ref, role) members, tags)."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6">']
    for number, (lat, lon, tags) in nodes.items():
        lines.append(f'<node id="{number}" version="1" lat="{lat:.7f}" lon="{lon:.7f}">{_tags(tags)}</node>')
    for number, (refs, tags) in ways.items():
        members = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        lines.append(f'<way id="{number}" version="1">{members}{_tags(tags)}</way>')
    for number, (parts, tags) in (relations or {}).items():
        members = "".join(f'<member type="{kind}" ref="{ref}" role="{role}"/>' for kind, ref, role in parts)
        lines.append(f'<relation id="{number}" version="1">{members}{_tags(tags)}</relation>')
    path.write_text("\n".join([*lines, "</osm>"]) + "\n", encoding="utf-8")
    return path


def _tags(tags: Tags) -> str:
    return "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())
