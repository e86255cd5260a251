"""The HTML page round maps, charts and tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

_STYLE = """
:root{--ink:#17202a;--soft:#5d6d7e;--paper:#fbfbf9;--card:#fff;--line:#e3e5e8;--street:#c9ced6;--sea:#f2f4f6;--accent:#0b6e99}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf0;--soft:#9aa7b4;--paper:#12161b;--card:#1a2027;--line:#2c343d;--street:#3d4752;
--sea:#161c22;--accent:#4fb3dd}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
header,main,footer{max-width:980px;margin:0 auto;padding:1.2rem}header h1{font-size:2rem;margin:.4rem 0}
.lead{color:var(--soft);font-size:1.1rem}section{background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:1.1rem 1.3rem;margin:1.2rem 0}h2{margin:.1rem 0 .5rem;font-size:1.3rem}h3{margin:1rem 0 .4rem;font-size:1.05rem}
svg{display:block;width:100%;height:auto;border-radius:8px}.map{border:1px solid var(--line);cursor:grab;touch-action:none}
.sea{fill:var(--sea)}.street{fill:none;stroke:var(--street);stroke-linecap:round}.dot{stroke:var(--card);stroke-width:1.5}
.label{font:600 12px system-ui;fill:var(--ink);paint-order:stroke;stroke:var(--card);stroke-width:3px}
.scale{fill:none;stroke:var(--soft)}
.grid{stroke:var(--line);fill:none}.tick,.axis{font:12px system-ui;fill:var(--soft)}.legend{font:600 13px system-ui}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.93rem}th,td{text-align:left;padding:.35rem .6rem;
border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right;

font-variant-numeric:tabular-nums}
.facts{display:flex;flex-wrap:wrap;gap:.7rem;margin:.7rem 0}.fact{flex:1 1 9rem;
border:1px solid var(--line);border-radius:10px;padding:.55rem .8rem}
.fact b{display:block;font-size:1.35rem}.fact span{color:var(--soft);font-size:.88rem}
.beside{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));gap:1rem}
.note{border-left:4px solid var(--accent);padding:.3rem .9rem;color:var(--soft);margin:.8rem 0}.empty{color:var(--soft)}
code{background:var(--sea);padding:.1rem .35rem;border-radius:5px;font-size:.9em}pre{background:var(--sea);padding:.8rem;
border-radius:8px;overflow-x:auto}a{color:var(--accent)}nav a{margin-right:1rem}
"""

_SCRIPT = """
for(const map of document.querySelectorAll('svg.map')){const g=map.querySelector('.world');let k=1,x=0,y=0,grip=null;
const show=()=>g.setAttribute('transform',`translate(${x} ${y}) scale(${k})`);
const at=e=>{const r=map.getBoundingClientRect(),v=map.viewBox.baseVal;return[(e.clientX-r.left)*v.width/r.width,
(e.clientY-r.top)*v.height/r.height]};
map.addEventListener('wheel',e=>{e.preventDefault();const[p,q]=at(e),z=Math.min(40,Math.max(1,k*Math.exp(-e.deltaY*.0015)));
x=p-(p-x)*z/k;y=q-(q-y)*z/k;k=z;if(k===1){x=y=0}show()},{passive:false});
map.addEventListener('pointerdown',e=>{grip=at(e);map.setPointerCapture(e.pointerId)});
map.addEventListener('pointermove',e=>{if(!grip)return;const p=at(e);x+=p[0]-grip[0];y+=p[1]-grip[1];grip=p;show()});
map.addEventListener('pointerup',()=>{grip=null})}
"""


@dataclass(slots=True)
class Page:
    """Sections in order; `html` writes the whole page as one file."""

    title: str
    lead: str
    sections: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, anchor: str, heading: str, *parts: str) -> None:
        """Append a section of ready HTML parts."""
        self.sections.append((anchor, heading, "".join(parts)))

    def html(self) -> str:
        """The page."""
        links = "".join(f'<a href="#{anchor}">{escape(heading)}</a>' for anchor, heading, _ in self.sections)
        body = "".join(f'<section id="{a}"><h2>{escape(h)}</h2>{content}</section>' for a, h, content in self.sections)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head><body><header><h1>{escape(self.title)}</h1>"
            f'<p class="lead">{escape(self.lead)}</p><nav>{links}</nav></header><main>{body}</main>'
            f"<footer>Map data © OpenStreetMap contributors (ODbL).</footer><script>{_SCRIPT}</script></body></html>"
        )


def paragraph(content: object) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(str(content))}</p>"


def note(content: object) -> str:
    """A remark set apart."""
    return f'<p class="note">{escape(str(content))}</p>'


def heading(content: object) -> str:
    """A heading within a section."""
    return f"<h3>{escape(str(content))}</h3>"


def facts(values: Iterable[tuple[str, str]]) -> str:
    """Big figures with a caption each: (figure, caption)."""
    cells = "".join(f'<div class="fact"><b>{escape(big)}</b><span>{escape(small)}</span></div>' for big, small in values)
    return f'<div class="facts">{cells}</div>'


def side_by_side(*parts: str) -> str:
    """Ready HTML parts beside each other, below each other where the page is narrow."""
    return f'<div class="beside">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers are set right."""
    lines = [tuple(row) for row in rows]
    numbers = [bool(lines) and all(isinstance(row[k], int | float) for row in lines) for k in range(len(header))]
    head = "".join(
        f'<th class="n">{escape(cell)}</th>' if number else f"<th>{escape(cell)}</th>"
        for cell, number in zip(header, numbers, strict=True)
    )
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def code(content: str) -> str:
    """A block of code or a command."""
    return f"<pre>{escape(content)}</pre>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="n">{value:,.1f}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    return f"<td>{escape(str(value))}</td>"
