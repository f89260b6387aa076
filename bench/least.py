"""The app that is measured, and on the same server the least Flask view that answers coverage: raw psycopg, no auth."""

import threading
from typing import Any

import psycopg
from flask import Flask, Response, jsonify, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from app.coverage.coverage_at import _BY_PLATE, _QUERY
from app.kit.listen import conninfo
from bench.spans import Spans
from wsgi import app as glovebox

_NAMES = ("country", "plate", "at", "insurer", "position")
_SQL = _QUERY.format(which=_BY_PLATE)
for _name in _NAMES:
    _SQL = _SQL.replace(f":{_name}", f"%({_name})s")
_local = threading.local()
least = Flask("least")


@least.get("/coverage")
def coverage() -> Response:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = psycopg.connect(
            conninfo(glovebox.extensions["glovebox"].settings.database_url), autocommit=True
        )
    values: dict[str, Any] = {name: request.args[name] for name in _NAMES}
    row = connection.execute(_SQL, values).fetchone()
    return jsonify({"covered": "yes" if row and row[-2] else "no", "data": row[6] if row else None})


app = Spans(DispatcherMiddleware(glovebox, {"/least": least}))
