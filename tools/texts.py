"""Bring what is new in the English texts into every language: `make texts` after a change of a `messages.pot`.

A sentence that is new, or reads otherwise in English, is left empty in each `<language>.po` for its translator; one that
is gone goes everywhere. A language that has no file yet gets one. What stays is not touched.
"""

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from notifications.sentences import LANGUAGES  # noqa: E402 - the path is set above

FOLDERS = (ROOT / "notifications" / "texts", ROOT / "app" / "kit" / "texts")
# Without names and dates: who translated what, and when, is in the history.
HEAD = r"""msgid ""
msgstr ""
"Language: {language}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: {plural};\n"

"""


def merged(english: Catalog, theirs: Catalog, language: str) -> str:
    """The file of a language: every English sentence in its order, with the translation it has."""
    said = {one.context: one for one in theirs if one.id}
    fresh = Catalog(locale=language)
    for one in english:
        if one.id:
            old = said.get(one.context)
            string = old.string if old and old.id == one.id else None
            fresh.add(one.id, string, context=one.context, flags=one.flags, auto_comments=one.auto_comments)
    written = io.BytesIO()
    write_po(written, fresh, width=0, omit_header=True)
    head = HEAD.format(language=language, plural=str(get_plural(language)).removesuffix(";"))
    return head + written.getvalue().decode().rstrip("\n") + "\n"


def main() -> None:
    for folder in FOLDERS:
        english = _read(folder / "messages.pot")
        for language in LANGUAGES:
            file = folder / f"{language}.po"
            if language != "en":
                file.write_text(merged(english, _read(file), language), "utf-8")


def _read(file: Path) -> Catalog:
    if not file.exists():
        return Catalog()
    with file.open("rb") as opened:
        return read_po(opened, abort_invalid=True)


if __name__ == "__main__":
    main()
