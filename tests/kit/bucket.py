"""A small bucket on a real socket: S3's protocol as far as we speak it, with every signature checked (SigV4)."""

import hashlib
import hmac
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

from tests.kit.serving import serving

BUCKET, REGION, ACCESS_KEY, SECRET_KEY = "photos", "eu-central-1", "glovebox", "only for tests"
PAGE = 2
"""So few a page that every list has several."""


class BucketServer:
    """`with BucketServer() as bucket:`; `files` is what lies in it, `ill` a status that every request gets."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, datetime]] = {}
        self.seen: list[str] = []
        self.ill: int | None = None
        self.url = ""
        self._serving = serving(self._answer)

    def __enter__(self) -> Self:
        self.url = self._serving.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.__exit__(None, None, None)

    def _answer(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.seen.append(f"{request.method} {request.path}")
        return self._act(request)(environ, start_response)

    def _act(self, request: Request) -> Response:
        if self.ill is not None:
            return _error(self.ill, "SlowDown")
        if request.headers.get("Authorization") != _authorization(request):
            return _error(403, "SignatureDoesNotMatch")
        bucket, _, name = request.path.lstrip("/").partition("/")
        if bucket != BUCKET:
            return _error(404, "NoSuchBucket")
        if not name:
            return self._list(request)
        if request.method == "PUT":
            self.files[name] = (request.get_data(), datetime.now(UTC))  # noqa: TID251
            return Response(headers={"ETag": f'"{hashlib.sha256(request.get_data()).hexdigest()}"'})
        if request.method == "DELETE":
            self.files.pop(name, None)
            return Response(status=204)
        return self._one(name)

    def _one(self, name: str) -> Response:
        if name not in self.files:
            return _error(404, "NoSuchKey")
        data, at = self.files[name]
        return Response(data, headers={"ETag": '"x"', "Last-Modified": format_datetime(at, usegmt=True)})

    def _list(self, request: Request) -> Response:
        prefix, after = request.args.get("prefix", ""), request.args.get("continuation-token", "")
        names = sorted(one for one in self.files if one.startswith(prefix) and one > after)
        some = names[:PAGE]
        more = f"<NextContinuationToken>{some[-1]}</NextContinuationToken>" if len(names) > PAGE else ""
        rows = "".join(
            f"<Contents><Key>{escape(one)}</Key><LastModified>{self.files[one][1]:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f'<ETag>"x"</ETag><Size>{len(self.files[one][0])}</Size></Contents>'
            for one in some
        )
        truncated = "true" if more else "false"
        return Response(
            f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{more}{rows}</ListBucketResult>",
            mimetype="application/xml",
        )


def _error(status: int, code: str) -> Response:
    return Response(f"<Error><Code>{code}</Code></Error>", status=status, mimetype="application/xml")


def _authorization(request: Request) -> str:
    """What the header must be, worked out anew (docs.aws.amazon.com, "Signature Version 4")."""
    given = request.headers.get("Authorization", "")
    names = given.partition("SignedHeaders=")[2].partition(",")[0]
    path, _, query = request.environ["REQUEST_URI"].partition("?")
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(query, True))
    body = hashlib.sha256(request.get_data(cache=True)).hexdigest()
    if request.headers.get("x-amz-content-sha256") not in (body, "UNSIGNED-PAYLOAD"):
        return "the body is not what was signed"
    canonical = "\n".join(
        (
            request.method,
            quote(unquote(path), safe="/-_.~"),
            "&".join(f"{key}={value}" for key, value in pairs),
            *(f"{name}:{request.headers[name].strip()}" for name in names.split(";") if name),
            "",
            names,
            request.headers.get("x-amz-content-sha256", ""),
        )
    )
    at = request.headers.get("x-amz-date", "")
    scope = f"{at[:8]}/{REGION}/s3/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashed}".encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
