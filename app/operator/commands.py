"""`flask --app wsgi operator ...`: everything that runs the place, so that no SQL by hand is ever needed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click
from flask.cli import with_appcontext

from app.cars.wait_for_broker import wait_cut
from app.kit import client_certificate
from app.kit.clock import z
from app.kit.errors import Problem
from app.operator import act, act_on_box, act_on_insurer, act_on_photos, show

BY = act.COMMAND_LINE


@click.group("operator")
def operator() -> None:
    """Run the place. Every change wants --reason and is written into the audit log."""


def command(group: click.Group, name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A subcommand whose refusals are said in words."""

    def register(work: Callable[..., Any]) -> click.Command:
        def run(**values: Any) -> None:
            try:
                result = work(**values)
            except Problem as problem:
                errors = "".join(
                    f"\n  {e.get('pointer', '')}: {e['detail']}" for e in problem.members.get("errors", ())
                )
                raise click.ClickException(f"{problem.title}. {problem.detail or ''}{errors}") from problem
            click.echo(result if isinstance(result, str) else json.dumps(result, indent=2, default=str))

        run.__doc__, run.__name__ = work.__doc__, work.__name__
        made = click.command(name)(with_appcontext(run))
        made.params = [*getattr(work, "__click_params__", [])[::-1], *made.params]
        group.add_command(made)
        return made

    return register


def change(group: click.Group, name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A subcommand that changes something, and wants to be told why."""
    why = click.option("--reason", required=True, help="Why; kept in the audit log.")
    return lambda work: command(group, name)(why(work))


def sub(name: str, about: str) -> click.Group:
    group = click.Group(name, help=about)
    operator.add_command(group)
    return group


person, insurer, policy = (
    sub("person", "People."),
    sub("insurer", "Insurers."),
    sub("policy", "Master policies."),
)
licence, rental = sub("licence", "Licences."), sub("rental", "Rentals.")
key, fact, car = sub("keys", "Signing keys."), sub("fact", "Facts."), sub("car", "Cars.")
job = sub("job", "Jobs that failed for good.")
photo = sub("photos", "The place of the photos.")


@command(operator, "ledger")
@click.option("--rental", help="Its entries besides; else the balance alone.")
@click.option(
    "--at", type=click.IntRange(1), help="The balance as it was at this position of the total order."
)
def ledger_of(rental: str | None, at: int | None) -> Any:
    """Who is owed what: the balance of every account, which sums to zero in each currency."""
    return show.ledger(rental, at)


@command(operator, "documents")
def documents_of() -> Any:
    """The series of receipts and credit notes: the last number, and the first that does not follow from those before."""
    return show.series()


@change(person, "make-operator")
@click.argument("email")
def person_make_operator(email: str, reason: str) -> dict[str, Any]:
    """Make a registered person an operator; prints the TOTP secret, once."""
    return {"email": email, "totp_secret": act.make_operator(email, by=BY, reason=reason)}


@change(person, "suspend")
@click.argument("person_id")
def person_suspend(person_id: str, reason: str) -> dict[str, Any]:
    """No sign-in and no unlock from now on."""
    act.suspend(person_id, by=BY, reason=reason)
    return {"person": person_id, "state": "suspended"}


@change(person, "restore")
@click.argument("person_id")
def person_restore(person_id: str, reason: str) -> dict[str, Any]:
    """Lift a suspension."""
    act.restore(person_id, by=BY, reason=reason)
    return {"person": person_id, "state": "restored"}


@change(person, "remove-operator")
@click.argument("email")
def person_remove_operator(email: str, reason: str) -> dict[str, Any]:
    """Make an operator a person like others; their sessions end."""
    return {"person": act.remove_operator(email, by=BY, reason=reason), "operator": False}


@command(job, "list")
def job_list() -> list[dict[str, Any]]:
    """The newest fifty jobs that failed for good."""
    return list(show.jobs({"limit": 50, "cursor": None}).items)


@change(job, "retry")
@click.argument("job_id", type=int)
def job_retry(job_id: int, reason: str) -> dict[str, Any]:
    """Run a failed job once more."""
    return {"job": job_id, "task": act.retry_job(job_id, by=BY, reason=reason).task, "state": "waiting"}


@change(job, "dismiss")
@click.argument("job_id", type=int)
def job_dismiss(job_id: int, reason: str) -> dict[str, Any]:
    """Leave a failed job undone."""
    return {"job": job_id, "task": act.dismiss_job(job_id, by=BY, reason=reason).task, "state": "dismissed"}


@change(insurer, "add")
@click.argument("name")
def insurer_add(name: str, reason: str) -> dict[str, Any]:
    """Add an insurer."""
    made = act_on_insurer.add_insurer(name, by=BY, reason=reason)
    return {"insurer": made.id, "name": made.name}


@change(insurer, "client")
@click.argument("insurer_id")
@click.option("--label", required=True)
@click.option("--scope", "scopes", multiple=True, required=True, help="May be given several times.")
@click.option("--certificate", type=click.File(), help="PEM file: heard only over TLS with this certificate.")
@click.option("--certificate-alone", is_flag=True, help="That is its proof: it is given no secret.")
def insurer_client(
    insurer_id: str,
    label: str,
    scopes: tuple[str, ...],
    certificate: TextIO | None,
    reason: str,
    *,
    certificate_alone: bool,
) -> dict[str, Any]:
    """Give an insurer a client; prints its secret, once."""
    try:
        bound = None if certificate is None else client_certificate.of_pem(certificate.read())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--certificate") from error
    client, secret = act_on_insurer.add_client(
        insurer_id,
        label=label,
        scopes=list(scopes),
        certificate=bound,
        certificate_alone=certificate_alone,
        by=BY,
        reason=reason,
    )
    return {"client_id": client.id, "client_secret": secret, "scopes": sorted(scopes)}


@change(insurer, "rotate")
@click.argument("client_id")
def insurer_rotate(client_id: str, reason: str) -> dict[str, Any]:
    """A new secret for a client; the old one is dead at once."""
    return {
        "client_id": client_id,
        "client_secret": act_on_insurer.rotate_client(client_id, by=BY, reason=reason),
    }


@change(policy, "add")
@click.argument("insurer_id")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def policy_add(insurer_id: str, file: str, reason: str) -> dict[str, Any]:
    """Add a master policy from a JSON FILE; every mistake is named with its place."""
    try:
        body = json.loads(Path(file).read_text("utf-8"))
    except ValueError as error:
        raise click.ClickException(f"{file} is not JSON: {error}") from error
    made = act_on_insurer.add_policy(insurer_id, body, by=BY, reason=reason)
    return {"policy": made.id, "number": made.number, "version": made.version}


@change(policy, "activate")
@click.argument("policy_id")
def policy_activate(policy_id: str, reason: str) -> dict[str, Any]:
    """Bind covers under this policy from now on."""
    made = act_on_insurer.activate_policy(policy_id, by=BY, reason=reason)
    return {"policy": made.id, "state": "active"}


@change(licence, "clear")
@click.argument("person_id")
def licence_clear(person_id: str, reason: str) -> dict[str, Any]:
    """A licence was checked and is good."""
    act.clear_licence(person_id, by=BY, reason=reason)
    return {"person": person_id, "licence": "cleared"}


@change(licence, "refuse")
@click.argument("person_id")
def licence_refuse(person_id: str, reason: str) -> dict[str, Any]:
    """A licence was checked and is not good; its holder is told the reason."""
    act.refuse_licence(person_id, by=BY, reason=reason)
    return {"person": person_id, "licence": "refused"}


@change(rental, "close")
@click.argument("rental_id")
def rental_close(rental_id: str, reason: str) -> dict[str, Any]:
    """Close a rental that its box cannot."""
    closed = act.close_rental(rental_id, by=BY, reason=reason)
    return {"rental": closed.id, "state": closed.state}


@change(key, "rotate")
@click.argument("purpose", type=click.Choice(["people", "partners", "certificates", "grants"]))
def keys_rotate(purpose: str, reason: str) -> dict[str, Any]:
    """The next signing key of a purpose; the old one still verifies."""
    return {"purpose": purpose, "kid": act.rotate_keys(purpose, by=BY, reason=reason)}


@change(insurer, "lift-block")
@click.argument("insurer_id")
@click.argument("person_id")
def insurer_lift_block(insurer_id: str, person_id: str, reason: str) -> dict[str, Any]:
    """An insurer that refused a driver will have them again."""
    act_on_insurer.lift_block(insurer_id, person_id, by=BY, reason=reason)
    return {"insurer": insurer_id, "person": person_id}


@change(car, "safe")
@click.argument("car_id")
@click.option("--unsafe", is_flag=True, help="Bar it from unlocking.")
def car_safe(car_id: str, *, unsafe: bool, reason: str) -> dict[str, Any]:
    """Let a car be unlocked again, or bar it with --unsafe."""
    act.set_safe(car_id, safe=not unsafe, by=BY, reason=reason)
    return {"car": car_id, "unsafe": unsafe}


@change(car, "stolen")
@click.argument("car_id")
def car_stolen(car_id: str, reason: str) -> dict[str, Any]:
    """Bar a car and cut its box off the broker, also while it is lent; answers once it is cut off."""
    act_on_box.mark_stolen(car_id, by=BY, reason=reason)
    wait_cut(car_id)
    return {"car": car_id, "unsafe": True}


@change(car, "remove-box")
@click.argument("car_id")
def car_remove_box(car_id: str, reason: str) -> dict[str, Any]:
    """Take a box out and cut it off the broker, also while the car is lent; answers once it is cut off."""
    act_on_box.remove_box(car_id, by=BY, reason=reason)
    wait_cut(car_id)
    return {"car": car_id, "box": None}


@change(photo, "take")
def photos_take(reason: str) -> dict[str, Any]:
    """The place of the photos is this installation's, whatever its mark says; from then on it is swept."""
    return {"place": act_on_photos.take_place(by=BY, reason=reason)}


@change(fact, "restamp")
def fact_restamp(reason: str) -> dict[str, Any]:
    """After pg_restore, before any process starts: facts not sealed yet get numbers of this cluster."""
    return {"facts": act.restamp_facts(by=BY, reason=reason)}


@command(fact, "show")
@click.argument("position", type=int)
def fact_show(position: int) -> dict[str, Any]:
    """The fact at a POSITION of the total order."""
    row = show.fact(position)
    return {
        "position": row.position,
        "kind": row.kind,
        "data": row.data,
        "at": z(row.at),
        "chain": row.chain.hex() if row.chain else None,
    }
