"""500 strings that have broken software: each comes back unchanged, or is refused with a reason.

Those that can be read stand in `naughty.txt`, one a line; those that cannot are made here.
"""

import itertools
import unicodedata
from pathlib import Path

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
SPACES = [
    chr(code)
    for code in (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF)
]
UNSEEN = [
    chr(code) for code in (0xAD, 0x34F, 0x61C, 0x115F, 0x17B4, *range(0x180B, 0x180F), *range(0x200B, 0x2010))
]
DIRECTIONS = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
NO_CHARACTERS = [chr(code) for code in (0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF)]
PRIVATE = [chr(code) for code in (0xE000, 0xF8FF, 0xF0000, 0x10FFFD)]
SURROGATES = [chr(code) for code in (0xD800, 0xDBFF, 0xDC00, 0xDFFF)]
MARKS = "\u0300\u0301\u0323\u0336\u0489\u20dd\u0e49\u1dc4"
LINES = [
    "a\nb",
    "a\rb",
    "a\r\nb",
    "\r\n\r\n",
    "\n",
    "Subject: x\r\nBcc: y",
    "a\tb",
    "a\x0bb",
    "a\x0cb",
    "a\u2028b",
]
EDGES = (39, 40, 41, 79, 80, 81, 199, 200, 201, 499, 501, 999, 1000, 1001, 2001)


def readable() -> list[str]:
    return (Path(__file__).parent / "naughty.txt").read_text("utf-8").splitlines()


def zalgo(text: str) -> str:
    return "".join(char + MARKS for char in text)


def every() -> list[str]:
    """All of them, each once."""
    odd = [*CONTROLS, *SPACES, *UNSEEN, *DIRECTIONS, *NO_CHARACTERS, *PRIVATE, *SURROGATES]
    found = [
        "",
        *readable(),
        *LINES,
        *odd,
        *(f"a{char}b" for char in odd),
        *(f"{char}{word}" for char, word in itertools.product(DIRECTIONS, ("Olga", "\u05d0\u05d5\u05dc"))),
        *(zalgo(word) for word in ("a", "Olga", "Max Member")),
        *(
            unicodedata.normalize(form, "\u212b \ufb01 \xbd \ud55c")
            for form in ("NFC", "NFD", "NFKC", "NFKD")
        ),
        *("x" * length for length in EDGES),
        *("\U0001f600" * length for length in (20, 40, 80, 81, 250, 1000)),
        *("\u0301" * length for length in (1, 80, 81)),
        *(f" {word}" for word in readable()[:40]),
        *(f"{word} " for word in readable()[:40]),
    ]
    return list(dict.fromkeys(found))
