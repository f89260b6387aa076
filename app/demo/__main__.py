"""`python -m app.demo`: tell the story, keep the place up with --serve, or write the contract."""

import argparse
import signal
import sys
import threading
import time
from typing import Any

import requests
from rich.console import Console
from rich.table import Table

from app.demo import after, before, late, refused, sandbox
from app.demo.stage import Stage, Telling
from app.demo_cast import Actor, hours
from app.kit.config import from_environment
from app.supervisor import ROOT, Supervisor
from app.supervisor.part import PartFailedError

FOLDER = ROOT / ".var" / "demo"
CHAPTERS = (
    before.set_up,
    before.meet,
    before.own,
    before.invite,
    before.offer,
    before.free_loan,
    before.get_ready,
    refused.times,
    refused.card,
    after.book,
    after.drive,
    after.wrong_turns,
    after.settle,
    late.door,
    late.too_late,
    after.insurer,
    late.silence,
)


def run(*, serve: bool) -> int:
    """Tell the story (and keep the place up). Returns the exit status."""
    console = Console(width=None if sys.stdout.isatty() else 170, highlight=False)
    told = Telling(console)
    place = Supervisor(FOLDER)
    console.print("[dim]starting PostgreSQL, Mosquitto, doubles, simulator, API, worker, boxlink …[/dim]")
    try:
        place.start()
        console.print(f"[dim]all up after {time.monotonic() - told.began:.1f} s at {place.url}[/dim]")
        stage = Stage(place, told)
        for chapter in CHAPTERS:
            chapter(stage)
        took = time.monotonic() - told.began
        console.print(
            f"\n[bold green]{told.steps} steps, all as they should be, in {took:.1f} s[/bold green]"
        )
        if serve:
            _keep_up(place, stage, console)
    except (AssertionError, TimeoutError, PartFailedError, requests.RequestException) as error:
        console.print(f"\n[bold red]step {told.steps + 1} failed:[/bold red] {error}")
        console.print(f"[dim]logs: {FOLDER}[/dim]")
        return 1
    finally:
        place.stop()
    return 0


def _keep_up(place: Supervisor, stage: Stage, console: Console) -> None:
    """Until Ctrl-C: where things are, who can sign in, and a curl that unlocks the demo car."""
    from app.demo_cast import PASSWORD

    insurer = sandbox.fill(stage)
    stage.wake()
    rental = stage.book(hours(0), hours(8))
    stage.max.ready(rental["id"])
    table = Table("what", "where", show_header=False)
    table.add_row("API", f"{place.url}/v1")
    table.add_row("docs", f"{place.url}/docs")
    table.add_row("health", f"{place.url}/readyz")
    table.add_row("Stripe double", place.parts["stripe"].ready["url"])
    table.add_row(
        "car box simulator", f"http://127.0.0.1:{place.parts['simulator'].ready['control_port']}/state"
    )
    for one in (stage.olga, stage.max, stage.charlie):
        table.add_row(one.name, f"{one.email} / {PASSWORD}")
    table.add_row("Charlie's phone", stage.charlie.installation)
    table.add_row("an insurer's page", f"{place.url}/insurer/")
    table.add_row("an insurer's program", f"{insurer['client_id']} / {insurer['client_secret']}")
    console.print(table)
    plain = _plain_phone(place, stage)
    console.print(
        "Unlock the demo car as Max, from a phone of his without a key (the token is good for ten minutes):"
    )
    console.print(_curl(place, plain, rental), soft_wrap=True)
    console.print("Ctrl-C stops everything.")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()


def _plain_phone(place: Supervisor, stage: Stage) -> Actor:
    """Max's second phone: it registers no key, so that a curl can play it; confirmed by the code in his mail."""
    plain = Actor(place, "Max Member")
    plain.email = stage.max.email
    plain.sign_in()
    body = {"installation": plain.installation, "platform": "web"}
    phone = plain.post("/me/phones", body, want=201)["id"]
    plain.post(f"/me/phones/{phone}/confirm", {"code": plain.code(2)}, want=204)
    plain.renew()
    return plain


def _curl(place: Supervisor, plain: Actor, rental: Any) -> str:
    return (
        f"curl -X POST {place.url}/v1/rentals/{rental['id']}/unlock -H 'Authorization: Bearer {plain.access}'"
        f" -H 'Idempotency-Key: unlock-{int(time.time())}' -H 'Prefer: wait=15'"
    )


def contract(*, check: bool) -> int:
    """Write openapi.yaml, or say whether it is up to date; needs no database."""
    from app.doors import Doors
    from app.factory import create_app
    from insurance.partners import partners_of

    environment = {
        "DATABASE_URL": "postgresql://nowhere/none",
        "GLOVEBOX_MODE": "test",
        "GLOVEBOX_SECRET_KEY": "A" * 44,
        "GLOVEBOX_PUBLIC_URL": "http://localhost",
    }
    app = create_app(
        from_environment(environment), Doors(insurers=partners_of([]), payments=None, push=None, mail=None)
    )
    done = app.test_cli_runner().invoke(
        args=["openapi", *(["--check"] if check else []), str(ROOT / "openapi.yaml")]
    )
    sys.stdout.write(done.output)
    return done.exit_code


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m app.demo", description=__doc__)
    for flag in ("--serve", "--check-openapi", "--write-openapi"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args()
    if given.check_openapi or given.write_openapi:
        return contract(check=given.check_openapi)
    return run(serve=given.serve)


if __name__ == "__main__":
    raise SystemExit(main())
