"""The life of a cover as a picture: every version a row in the order of recording, drawn over the time it speaks of."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, Final

LEFT, WIDE, RIGHT = 250, 700, 20
TOP, ROW, AXIS, LEGEND = 44, 46, 44, 34
TICKS: Final = 4
LEAST: Final = timedelta(minutes=1)
"""What is drawn spans this at least, so that a cover of no length has an axis."""
SHOWN: Final = {
    "planned": ("planned", 'fill="none" stroke="#555" stroke-dasharray="4 3"'),
    "liability": ("liability", 'fill="#1f5fa8"'),
    "own_damage": ("own damage", 'fill="#b35c00"'),
}
_PLACE: Final = {"planned": (4, 32), "liability": (8, 12), "own_damage": (22, 10)}
"""Within a row: from the top, and how high."""
_OVERRUN, _RECORDED = 'stroke="#b00020" stroke-width="2"', 'fill="#222"'
Version = dict[str, Any]


def svg(versions: Sequence[Version]) -> str:
    """An SVG of versions as the API shows them, oldest first, one at least. A span without an end runs off the edge."""
    scale = _Scale(versions)
    height = TOP + ROW * len(versions) + AXIS + LEGEND
    wide = LEFT + WIDE + RIGHT
    last = versions[-1]["cover"]
    title = f"Cover {last['id']}, {last['car']['plate']}"
    told = f"{len(versions)} versions, each a row; across: the time they speak of, UTC. Now {last['state']}."
    size = f'viewBox="0 0 {wide} {height}" width="{wide}" height="{height}"'
    font = 'font-family="system-ui, sans-serif" font-size="12"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title told" {size} {font}>',
        f'<title id="title">{escape(title)}</title><desc id="told">{escape(told)}</desc>',
        f'<rect width="{wide}" height="{height}" fill="#fff"/>',
        _text(10, 20, title, 'font-weight="bold"'),
        _text(10, 36, "version, recorded at (UTC)", 'fill="#555"'),
        *_axis(scale, TOP + ROW * len(versions)),
        *(_row(one, scale, TOP + ROW * place) for place, one in enumerate(versions)),
        *_legend(TOP + ROW * len(versions) + AXIS),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


class _Scale:
    """From the first instant that any version speaks of to the last."""

    def __init__(self, versions: Sequence[Version]) -> None:
        instants = [at for one in versions for at in _instants(one["cover"])]
        self.first = min(instants)
        self.length = max(max(instants) - self.first, LEAST)
        self.length += self.length / 20

    def x(self, at: datetime | None) -> float:
        """Where an instant lies; the edge for what has no end."""
        if at is None:
            return LEFT + WIDE
        return round(LEFT + WIDE * ((at - self.first) / self.length), 1)

    def shows(self, at: datetime) -> bool:
        return self.first <= at <= self.first + self.length


def _instants(cover: Version) -> Iterator[datetime]:
    for name in SHOWN:
        yield from (at for at in _ends(cover, name) if at is not None)
    if cover["overrun_at"]:
        yield _at(cover["overrun_at"])


def _ends(cover: Version, name: str) -> tuple[datetime | None, datetime | None]:
    span = cover[name]
    return _at(span["from"]), _at(span["to"]) if span["to"] else None


def _at(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


def _row(one: Version, scale: _Scale, top: int) -> str:
    cover = one["cover"]
    recorded = _at(cover["recorded_at"])
    what = f"{one['version']}  {one['kind'].removeprefix('cover.')}"
    spoken = "; ".join(
        f"{words} {cover[name]['from']} to {cover[name]['to'] or 'open'}"
        for name, (words, _) in SHOWN.items()
    )
    title = f"{what}, {cover['state']}: {spoken}"
    drawn = [
        f'<g data-version="{one["version"]}"><title>{escape(title)}</title>',
        _text(10, top + 18, what, 'font-weight="bold"'),
        _text(10, top + 34, recorded.strftime("%Y-%m-%d %H:%M:%S"), 'fill="#555"'),
        _text(150, top + 18, cover["state"], 'fill="#555"'),
        *(_bar(name, *_ends(cover, name), scale, top) for name in SHOWN),
    ]
    if cover["overrun_at"]:
        x = scale.x(_at(cover["overrun_at"]))
        drawn.append(f'<path data-is="overrun" d="M{x} {top + 2}v38" {_OVERRUN}/>')
    if scale.shows(recorded):
        drawn.append(f'<path data-is="recorded" d="M{scale.x(recorded)} {top + 38}l-4 6h8z" {_RECORDED}/>')
    return "".join((*drawn, "</g>"))


def _bar(name: str, begins: datetime | None, ends: datetime | None, scale: _Scale, top: int) -> str:
    down, high = _PLACE[name]
    begin, end = scale.x(begins), scale.x(ends)
    if end <= begin:
        return ""
    is_open = ' data-open="true"' if ends is None else ""
    return (
        f'<rect data-is="{name}"{is_open} x="{begin}" y="{top + down}" width="{round(end - begin, 1)}"'
        f' height="{high}" {SHOWN[name][1]}/>'
    )


def _axis(scale: _Scale, bottom: int) -> Iterator[str]:
    for place in range(TICKS + 1):
        at = scale.first + scale.length * place / TICKS
        x, anchor = scale.x(at), "end" if place == TICKS else "middle"
        yield f'<path d="M{x} {TOP}V{bottom + 4}" stroke="#ddd"/>'
        yield _text(x, bottom + 18, at.strftime("%m-%d"), f'text-anchor="{anchor}"')
        yield _text(x, bottom + 32, at.strftime("%H:%M:%S"), f'text-anchor="{anchor}"')


def _legend(top: int) -> Iterator[str]:
    x = LEFT
    for words, look in SHOWN.values():
        yield f'<rect x="{x}" y="{top + 8}" width="24" height="10" {look}/>' + _text(x + 30, top + 18, words)
        x += 120
    yield f'<path d="M{x + 4} {top + 4}v18" {_OVERRUN}/>' + _text(x + 14, top + 18, "planned end passed")
    x += 150
    yield f'<path d="M{x + 4} {top + 8}l-4 6h8z" {_RECORDED}/>' + _text(x + 14, top + 18, "recorded")


def _text(x: float, y: float, words: str, look: str = "") -> str:
    return f'<text x="{x}" y="{y}" {look}>{escape(words)}</text>'
