"""An insurer reached over HTTP: one POST per version of a cover, under a key of its own.

    POST {url}/covers                      201 taken; 200 or 409 known already: read it and compare
    GET  {url}/covers/{id}/versions/{n}    {report, decision, reference, at}; 404 never got it
    422 {code, detail}                     the insurer declines the risk
    PUT  {url}/log-heads/{n}               {head}: 2xx kept; 404, 405 it keeps none, and reads ours instead

The idempotency key is `<cover id>.<version>`. Some insurers replay their first answer to a repeated key,
others say 409: both mean the same here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import requests

from insurance.ask import Answer, ask
from insurance.partner import (
    Acknowledgement,
    CoverReport,
    InsurerMismatch,
    InsurerRefused,
    InsurerRejected,
    InsurerUnavailable,
    InsurerUnknown,
)
from insurance.partner_sign_in import Bearer, SignIn
from insurance.report_json import differences, to_json

_OK, _CREATED, _ACCEPTED, _UNAUTHORISED, _NOT_FOUND, _CONFLICT, _DECLINED = 200, 201, 202, 401, 404, 409, 422
_KEPT: Final = frozenset({200, 201, 204})
_KEEPS_NONE: Final = frozenset({404, 405})
_BUSY: Final = frozenset({429, 502, 503, 504})
_SERVER: Final = 500


class HttpInsurer:
    """One insurer's API; `timeout` is (connect, read) in seconds, and both together for a whole answer."""

    def __init__(self, url: str, sign_in: SignIn, *, timeout: tuple[float, float] = (3.0, 10.0)) -> None:
        self._url = url.rstrip("/")
        self._sign_in = sign_in
        self._timeout = timeout

    def report(self, report: CoverReport) -> Acknowledgement:
        """Tell one version of a cover, or find it told already."""
        key = f"{report.cover}.{report.version}"
        answer = self._ask("POST", "/covers", body=to_json(report), headers={"Idempotency-Key": key})
        if answer.status_code in (_CREATED, _ACCEPTED):
            return _acknowledged(_json(answer), report.cover, report.version)
        if answer.status_code in (_OK, _CONFLICT):
            return self._compared(report)
        raise _wrong(answer)

    def read(self, cover: str, version: int) -> Acknowledgement | None:
        """What became of a report; InsurerRefused when it was declined afterwards."""
        held = self._held(cover, version)
        return None if held is None else _acknowledged(held, cover, version)

    def keep_head(self, number: int, signed: str) -> None:
        """Hand over a signed head; InsurerMismatch where another was kept under this number."""
        answer = self._ask("PUT", f"/log-heads/{number}", body={"head": signed})
        if answer.status_code == _CONFLICT:
            raise InsurerMismatch("the insurer keeps another head", fields=("head",))
        if answer.status_code not in _KEPT | _KEEPS_NONE:
            raise _wrong(answer)

    def _compared(self, report: CoverReport) -> Acknowledgement:
        held = self._held(report.cover, report.version)
        if held is None:
            raise InsurerUnknown("the insurer calls it known and does not show it")
        kept = held.get("report")
        different = differences(report, kept if isinstance(kept, Mapping) else {})
        if different:
            raise InsurerMismatch(f"the insurer holds other values: {', '.join(different)}", fields=different)
        return _acknowledged(held, report.cover, report.version)

    def _held(self, cover: str, version: int) -> Mapping[str, Any] | None:
        answer = self._ask("GET", f"/covers/{quote(cover, safe='')}/versions/{version}")
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code != _OK:
            raise _wrong(answer)
        return _json(answer)

    def _ask(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request; a token the insurer has forgotten is renewed once."""
        answer = self._once(method, path, body, headers)
        if answer.status_code == _UNAUTHORISED:
            self._sign_in.forget()
            answer = self._once(method, path, body, headers)
        return answer

    def _once(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None) -> Answer:
        auth = Bearer(self._sign_in.token())
        try:
            return ask(method, self._url + path, json=body, headers=headers, auth=auth, timeout=self._timeout)
        except requests.ConnectTimeout as error:
            raise InsurerUnavailable(f"no connection: {error}") from error
        except requests.RequestException as error:
            raise (InsurerUnavailable if _never_sent(error) else InsurerUnknown)(str(error)) from error


def _never_sent(error: requests.RequestException) -> bool:
    """Whether the connection was refused before a byte of ours went out."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return type(reason).__name__ in {"NewConnectionError", "NameResolutionError", "SSLError"}


def _wrong(answer: Answer) -> Exception:
    status = answer.status_code
    if status == _DECLINED:
        said = answer.json()
        return InsurerRefused(str(said.get("detail", "declined")), code=_word(said.get("code", "declined")))
    if status in _BUSY:
        return InsurerUnavailable(f"the insurer answers {status}", retry_after=_retry_after(answer))
    if status >= _SERVER:
        return InsurerUnknown(f"the insurer answers {status}")
    return InsurerRejected(f"the insurer answers {status}")


def _retry_after(answer: Answer) -> float | None:
    value = answer.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _acknowledged(body: Mapping[str, Any], cover: str, version: int) -> Acknowledgement:
    decision = body.get("decision")
    if decision == "refused":
        raise InsurerRefused("declined after it was taken", code=_word(body.get("code", "declined")))
    try:
        at = datetime.fromisoformat(body["at"])
        reference = _word(body["reference"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InsurerUnknown("the acknowledgement cannot be read") from error
    if decision not in ("accepted", "pending") or at.tzinfo is None:
        raise InsurerUnknown("the acknowledgement cannot be read")
    return Acknowledgement(cover, version, decision, reference, at)


def _word(value: Any) -> str:
    """Of what an insurer says as much as can be kept."""
    return "".join(one for one in str(value)[:200] if one.isprintable())


def _json(answer: Answer) -> Mapping[str, Any]:
    body = answer.json()
    if not body:
        raise InsurerUnknown("the answer is not a JSON object")
    return body
