"""A car's calendar as a picture: each day a row on the clocks of the car, of a week or a month. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from html import escape
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date

LEFT, WIDE, RIGHT = 130, 720, 20
TOP, ROW, LEGEND = 58, 26, 40
HOURS = (0, 6, 12, 18, 24)
_LOOK = {
    "free": 'fill="#cfe8d5" stroke="#2f7d4f"',
    "held": 'fill="#1f5fa8" stroke="#1f5fa8"',
    "blocked": 'fill="url(#hatch)" stroke="#777"',
}
_HATCH = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#eee"/><path d="M0 0v6" stroke="#777" stroke-width="2"/></pattern></defs>'
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A span of the calendar: its kind is free, held or blocked."""

    kind: str
    from_at: datetime
    to_at: datetime


def week_of(day: date) -> list[date]:
    """Monday to Sunday."""
    monday = day - timedelta(days=day.weekday())
    return [monday + timedelta(days=number) for number in range(7)]


def month_of(day: date) -> list[date]:
    """From its first day to its last."""
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return [first + timedelta(days=number) for number in range((following - first).days)]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins on the clocks there, as an instant."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Days to draw on: the clocks of a zone, a name for each kind, dates as a locale writes them."""

    days: Sequence[date]
    zone: ZoneInfo
    words: Mapping[str, str]
    locale: Locale

    def svg(self, title: str, spans: Sequence[Shown]) -> str:
        """The picture. A day of 23 or 25 hours is as wide as the others."""
        rows = ROW * len(self.days)
        height, wide = TOP + rows + LEGEND, LEFT + WIDE + RIGHT
        told = f"{self._named(self.days[0])} - {self._named(self.days[-1])}, {self.zone.key}"
        size = f'viewBox="0 0 {wide} {height}" width="{wide}" height="{height}"'
        font = 'font-family="system-ui, sans-serif" font-size="12"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title told" {size} {font}>',
            f'<title id="title">{escape(title)}</title><desc id="told">{escape(told)}</desc>{_HATCH}',
            f'<rect width="{wide}" height="{height}" fill="#fff"/>',
            _text(10, 20, title, 'font-weight="bold" font-size="14"'),
            _text(10, 38, told, 'fill="#555"'),
            *_hours(rows),
            *(self._row(day, TOP + ROW * place, spans) for place, day in enumerate(self.days)),
            *self._legend(TOP + rows + 24),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _row(self, day: date, top: int, spans: Sequence[Shown]) -> str:
        within = midnight(day, self.zone), midnight(day + timedelta(days=1), self.zone)
        weekend = ' font-weight="bold"' if day.weekday() >= 5 else ""
        drawn = [self._bar(one, within, top) for one in spans]
        name = _text(10, top + 17, self._named(day), f'fill="#222"{weekend}')
        return "".join((f'<g data-day="{day}">', name, *drawn, "</g>"))

    def _bar(self, one: Shown, within: tuple[datetime, datetime], top: int) -> str:
        begins, ends = within
        first, last = max(one.from_at, begins), min(one.to_at, ends)
        if first >= last:
            return ""
        x, until = (round(LEFT + WIDE * ((at - begins) / (ends - begins)), 1) for at in (first, last))
        since, to = (f"{at.astimezone(self.zone):%H:%M}" for at in (one.from_at, one.to_at))
        place = f'x="{x}" y="{top + 4}" width="{round(until - x, 1)}" height="{ROW - 8}"'
        title = f"<title>{escape(self.words[one.kind])} {since} - {to}</title>"
        return f'<rect data-is="{one.kind}" {place} {_LOOK[one.kind]}>{title}</rect>'

    def _legend(self, top: int) -> Iterator[str]:
        for place, (kind, look) in enumerate(_LOOK.items()):
            x = LEFT + 170 * place
            yield f'<rect x="{x}" y="{top - 11}" width="24" height="13" {look}/>'
            yield _text(x + 32, top, self.words[kind], 'fill="#222"')

    def _named(self, day: date) -> str:
        return str(format_date(day, "E d MMM", locale=self.locale))


def _hours(high: int) -> Iterator[str]:
    for hour in HOURS:
        x = LEFT + WIDE * hour / 24
        yield f'<path d="M{x} {TOP}v{high}" stroke="#ddd"/>'
        yield _text(x, TOP - 6, str(hour), 'text-anchor="middle" fill="#555"')


def _text(x: float, y: float, words: str, more: str) -> str:
    return f'<text x="{x}" y="{y}" {more}>{escape(words)}</text>'
