"""HTTP of imported calendars."""

from typing import Any

from sqlalchemy import select

from app.cars import access, calendar_import_schemas, calendar_imports
from app.cars.calendar_import_models import CalendarImport
from app.cars.routes import ONE, routes
from app.kit import i18n
from app.kit.auth import caller
from app.kit.errors import InUse, NotAllowed
from app.kit.fields import Paging
from app.kit.http import Answer, Page, page
from app.kit.routes import created

_IMPORTS = ONE + "/calendar-imports"
_IMPORT = _IMPORTS + '/<pid("imp"):calendar_import>'


def _import(row: CalendarImport) -> dict[str, Any]:
    error = {"code": row.error, "detail": i18n.say(f"calendar_import.{row.error}")} if row.error else None
    return {
        "id": row.id,
        "name": row.name,
        "host": row.host,
        "events": row.events,
        "last_sync_at": row.last_sync_at,
        "tried_at": row.tried_at,
        "error": error,
        "skipped": [{"uid": uid, "reason": why} for uid, why in row.skipped],
        "conflicts": calendar_imports.conflicts(row),
    }


@routes.add(
    "POST",
    _IMPORTS,
    summary="Import a calendar",
    body=calendar_import_schemas.CalendarImport,
    returns=calendar_import_schemas.CalendarImport,
    status=201,
    problems=(NotAllowed, InUse),
)
def add_calendar_import(car: str, body: dict[str, Any]) -> Answer:
    """Keeps the car for oneself while a calendar says busy: the secret address in iCal format that Google, Apple or
    Outlook give. It is read a moment later and then each hour; booked rentals stay, and are shown as conflicts.
    """
    row = calendar_imports.add(caller().person, car, url=body["url"], name=body["name"])
    return created(_import(row), f"/cars/{car}/calendar-imports/{row.id}")


@routes.add(
    "GET",
    _IMPORTS,
    summary="Imported calendars",
    query=Paging,
    returns=calendar_import_schemas.CalendarImportPage,
    problems=(NotAllowed,),
)
def list_calendar_imports(car: str, query: dict[str, Any]) -> Page:
    """The imported calendars: when each was read last, and what was wrong with it."""
    access.may_run(car, caller().person)
    found = page(select(CalendarImport).where(CalendarImport.car_id == car), CalendarImport.id, **query)
    found.items = [_import(row) for row in found.items]
    return found


@routes.add(
    "GET",
    _IMPORT,
    summary="One imported calendar",
    returns=calendar_import_schemas.CalendarImport,
    etag=True,
    problems=(NotAllowed,),
)
def read_calendar_import(car: str, calendar_import: str) -> dict[str, Any]:
    """When the calendar was read last, and what was wrong with it."""
    access.may_run(car, caller().person)
    return _import(calendar_imports.find(car, calendar_import))


@routes.add(
    "POST",
    _IMPORT + "/sync",
    summary="Read a calendar now",
    returns=calendar_import_schemas.CalendarImport,
    problems=(NotAllowed,),
)
def sync_calendar_import(car: str, calendar_import: str) -> dict[str, Any]:
    """Has the calendar read a moment later, unless that was done less than half a minute ago."""
    return _import(calendar_imports.sync(caller().person, car, calendar_import))


@routes.add("DELETE", _IMPORT, summary="Forget a calendar", status=204, problems=(NotAllowed,))
def remove_calendar_import(car: str, calendar_import: str) -> None:
    """Forgets the calendar: the car is offered again as its windows say."""
    calendar_imports.remove(caller().person, car, calendar_import)
