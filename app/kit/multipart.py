"""A body of parts, multipart/form-data, read as strictly as JSON: each part once, by its name, and no other."""

import io
from dataclasses import dataclass
from http import HTTPStatus

from flask import request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from app.kit.errors import Malformed, Validation
from app.kit.strict import sayable

MEDIA = "multipart/form-data"
AROUND = 16 * 1024
"""What names, headers and boundaries of the parts may take beside the file itself."""
MOST_PARTS = 20


class UnsupportedForm(HTTPException):
    """The body is not multipart/form-data."""

    code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    description = f"Send {MEDIA}."


@dataclass(frozen=True, slots=True)
class Form:
    """One file and a few words about it, as an operation of the contract names them."""

    file: str
    most: int
    words: dict[str, tuple[str, ...]]

    def schema(self) -> dict[str, object]:
        """As the contract says it."""
        words = {name: {"type": "string", "enum": list(some)} for name, some in self.words.items()}
        content = {"type": "string", "format": "binary", "maxLength": self.most}
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [self.file, *self.words],
            "properties": {self.file: content, **words},
        }


def read(form: Form) -> tuple[bytes, dict[str, str]]:
    """The file's bytes, and the words. Raises 413, 415, Malformed, Validation."""
    request.max_content_length = form.most + AROUND
    if request.mimetype != MEDIA:
        raise UnsupportedForm
    whole = request.get_data(cache=True)  # an Idempotency-Key is for these bytes
    if "boundary" not in request.mimetype_params:
        raise Malformed("The body has no boundary.")
    parser = FormDataParser(_in_memory, max_form_parts=MOST_PARTS, silent=False)
    try:
        _, words, files = parser.parse(io.BytesIO(whole), MEDIA, len(whole), request.mimetype_params)
    except ValueError as error:
        raise Malformed("The body does not consist of parts.") from error
    _refuse_strange(form, words, files)
    data = files[form.file].stream.read()
    if len(data) > form.most:
        raise RequestEntityTooLarge(f"At most {form.most} bytes.")
    return data, {name: words[name] for name in form.words}


def _in_memory(*_: object, **__: object) -> io.BytesIO:
    """The whole body is in memory already: no file is opened for a part of it."""
    return io.BytesIO()


def _refuse_strange(form: Form, words: MultiDict[str, str], files: MultiDict[str, FileStorage]) -> None:
    wrong = []
    names = [*((name, "words") for name in words), *((name, "file") for name in files)]
    for name, kind in names:
        wanted = kind == ("file" if name == form.file else "words")
        if (name != form.file and name not in form.words) or not wanted:
            wrong.append((name, "unknown", "There is no such part."))
    for name in (form.file, *form.words):
        count = len(files.getlist(name) if name == form.file else words.getlist(name))
        if count != 1:
            wrong.append(
                (name, *(("invalid", "Given more than once.") if count else ("required", "Missing.")))
            )
    for name, some in form.words.items():
        if words.get(name, some[0]) not in some:
            wrong.append((name, "invalid", f"Must be one of: {', '.join(some)}."))
    if wrong:
        raise Validation(
            errors=[
                {"pointer": f"/{sayable(name, 100)}", "code": code, "detail": text}
                for name, code, text in wrong[:50]
            ]
        )
