"""A paper to keep or print: A4 pages as PDF, drawn line by line, so that one of 10,000 lines costs little."""

import io
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import groupby

from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader, simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

PLAIN, BOLD = "Vera", "VeraBd"
_WIDTH, _HEIGHT = A4
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, _WIDTH - 50, _HEIGHT - 60, 60.0
_GAP = 8.0


@cache
def _letters() -> frozenset[int]:
    """Bitstream Vera comes with reportlab: every letter of our languages, the currency signs, the quotation marks."""
    fonts = [TTFont(name, f"{name}.ttf") for name in (PLAIN, BOLD)]
    for font in fonts:
        pdfmetrics.registerFont(font)
    return frozenset(fonts[0].face.charToGlyph)


def legible(text: str) -> str:
    """What the font can show: a narrow space becomes a no-break one, a letter it lacks goes without its accent."""
    known = _letters()

    def one(char: str) -> str:
        if ord(char) in known:
            return char
        if char == "\u202f":
            return "\u00a0"
        base = unicodedata.normalize("NFKD", char)[0]
        return base if ord(base) in known else "?"

    return "".join(one(char) for char in text)


class Paper:
    """One PDF under the pen: the same lines always make the same bytes."""

    def __init__(self, title: str, language: str) -> None:
        _letters()
        self._out = io.BytesIO()
        self._pen = Canvas(self._out, pagesize=A4, invariant=1, pageCompression=1, lang=language)
        self._pen.setTitle(legible(title))
        self._y = _TOP
        self._page = 1

    def heading(self, text: str, size: float = 16) -> None:
        self._down(size * 1.6)
        self._write(_LEFT, text, BOLD, size)

    def line(self, text: str, *, bold: bool = False, size: float = 9) -> None:
        self._down(size * 1.5)
        self._write(_LEFT, text, BOLD if bold else PLAIN, size)

    def text(self, words: str, *, size: float = 9) -> None:
        """Lines and paragraphs as they come, those too long for the page broken between words."""
        for given in words.split("\n"):
            for line in simpleSplit(legible(given), PLAIN, size, _RIGHT - _LEFT) or [""]:
                self.line(line, size=size)

    def picture(self, jpeg: bytes, *, height: float = 300) -> None:
        """A picture as wide as the lines, or as high as it may be."""
        drawn = ImageReader(io.BytesIO(jpeg))
        width, tall = drawn.getSize()
        scale = min((_RIGHT - _LEFT) / width, height / tall)
        self._down(tall * scale + _GAP)
        self._pen.drawImage(drawn, _LEFT, self._y, width * scale, tall * scale)

    def code(self, matrix: Sequence[Sequence[int]], words: str, *, side: float) -> None:
        """A square code with words to its right; a dark field of `matrix` is not 0. Without the quiet border."""
        self._down(side + _GAP)
        field = side / len(matrix)
        for y, line in enumerate(matrix):
            x = _LEFT
            for dark, run in groupby(line):
                width = field * len(list(run))
                if dark:
                    self._pen.rect(x, self._y + side - (y + 1) * field, width, field, fill=1, stroke=0)
                x += width
        bottom, left = self._y, _LEFT + side + 3 * _GAP
        self._y += side
        for line in simpleSplit(legible(words), PLAIN, 9, _RIGHT - left):
            self._y -= 13
            self._write(left, line, PLAIN, 9)
        self._y = min(self._y, bottom)

    def space(self, height: float = 10) -> None:
        self._y -= height

    def pair(self, name: str, value: str, *, bold: bool = False) -> None:
        """A name on the left, what it comes to on the right."""
        self._down(15)
        font = BOLD if bold else PLAIN
        self._write(_LEFT, name, font, 9, until=_RIGHT - self._width(value, font, 9) - _GAP)
        self._write_right(_RIGHT, value, font, 9)

    def rule(self) -> None:
        self._down(8)
        self._pen.setLineWidth(0.5)
        self._pen.line(_LEFT, self._y + 3, _RIGHT, self._y + 3)

    def row(self, cells: Sequence[str], widths: Sequence[float], *, bold: bool = False) -> None:
        """Cells side by side, the last one to the right edge; what is too long for its cell is cut."""
        self._down(13)
        font, left = (BOLD if bold else PLAIN), _LEFT
        for text, width in zip(cells[:-1], widths, strict=True):
            self._write(left, text, font, 8, until=left + width - _GAP)
            left += width
        self._write_right(_RIGHT, cells[-1], font, 8)

    def next_page(self) -> None:
        self._finish_page()
        self._pen.showPage()
        self._y = _TOP
        self._page += 1

    def done(self) -> bytes:
        self._finish_page()
        self._pen.save()
        return self._out.getvalue()

    def _down(self, height: float) -> None:
        if self._y - height < _BOTTOM:
            self.next_page()
        self._y -= height

    def _finish_page(self) -> None:
        self._write_right(_RIGHT, str(self._page), PLAIN, 8, y=_BOTTOM - 20)

    def _write(self, x: float, text: str, font: str, size: float, *, until: float = _RIGHT) -> None:
        shown = legible(text)
        if self._width(shown, font, size) > until - x:
            while shown and self._width(shown + "…", font, size) > until - x:
                shown = shown[:-1]
            shown += "…"
        self._pen.setFont(font, size)
        self._pen.drawString(x, self._y, shown)

    def _write_right(self, x: float, text: str, font: str, size: float, *, y: float | None = None) -> None:
        self._pen.setFont(font, size)
        self._pen.drawRightString(x, self._y if y is None else y, legible(text))

    @staticmethod
    def _width(text: str, font: str, size: float) -> float:
        return float(pdfmetrics.stringWidth(legible(text), font, size))
