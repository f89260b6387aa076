"""`flask --app wsgi operator ...`: everything that runs the place, so that no SQL by hand is ever needed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click
from flask.cli import with_appcontext

from app.billing import insurer_account
from app.cars.wait_for_broker import wait_cut
from app.kit import client_certificate
from app.kit.clock import z
from app.kit.errors import Problem
from app.operator import act, act_on_box, act_on_photos, money, show
from payments.money import CURRENCIES, Money

BY = act.COMMAND_LINE


@click.group("operator")
def operator() -> None:
    """Run the place. Every change wants --reason and is written into the audit log."""


def _command(group: click.Group, name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A subcommand with --reason whose refusals are said in words."""

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
        command = click.command(name)(with_appcontext(run))
        command.params = [*getattr(work, "__click_params__", [])[::-1], *command.params]
        group.add_command(command)
        return command

    return register


reason = click.option("--reason", required=True, help="Why; kept in the audit log.")


def movement(work: Callable[..., Any]) -> Callable[..., Any]:
    """The options of what went through the bank."""
    for option in (
        reason,
        click.option("--reference", required=True, help="What it is called outside; each is posted once."),
        click.option("--currency", type=click.Choice(CURRENCIES), required=True),
        click.option("--amount", type=click.IntRange(1, 10**10), required=True, help="In minor units."),
    ):
        work = option(work)
    return work


def _money(amount: int, currency: str) -> Money:
    return Money.from_dict({"amount": amount, "currency": currency})


def _sub(name: str, about: str) -> click.Group:
    group = click.Group(name, help=about)
    operator.add_command(group)
    return group


person, insurer, policy = (
    _sub("person", "People."),
    _sub("insurer", "Insurers."),
    _sub("policy", "Master policies."),
)
licence, rental, payment = (
    _sub("licence", "Licences."),
    _sub("rental", "Rentals."),
    _sub("payment", "Payments."),
)
key, fact, car = _sub("keys", "Signing keys."), _sub("fact", "Facts."), _sub("car", "Cars.")
dispute, warning = _sub("dispute", "Disputes of payments."), _sub("warning", "Early-fraud warnings of banks.")
job = _sub("job", "Jobs that failed for good.")
bank = _sub("bank", "Our own bank account.")
photo = _sub("photos", "The place of the photos.")


@_command(operator, "ledger")
@click.option("--rental", help="Its entries besides; else the balance alone.")
def ledger_of(rental: str | None) -> Any:
    """Who is owed what: the balance of every account, which sums to zero in each currency."""
    return show.ledger(rental)


@_command(operator, "documents")
def documents_of() -> Any:
    """The series of receipts and credit notes: the last number, and the first that does not follow from those before."""
    return show.series()


@_command(person, "make-operator")
@click.argument("email")
@reason
def person_make_operator(email: str, reason: str) -> dict[str, Any]:
    """Make a registered person an operator; prints the TOTP secret, once."""
    return {"email": email, "totp_secret": act.make_operator(email, by=BY, reason=reason)}


@_command(person, "suspend")
@click.argument("person_id")
@reason
def person_suspend(person_id: str, reason: str) -> dict[str, Any]:
    """No sign-in and no unlock from now on."""
    act.suspend(person_id, by=BY, reason=reason)
    return {"person": person_id, "state": "suspended"}


@_command(person, "restore")
@click.argument("person_id")
@reason
def person_restore(person_id: str, reason: str) -> dict[str, Any]:
    """Lift a suspension."""
    act.restore(person_id, by=BY, reason=reason)
    return {"person": person_id, "state": "restored"}


@_command(person, "remove-operator")
@click.argument("email")
@reason
def person_remove_operator(email: str, reason: str) -> dict[str, Any]:
    """Make an operator a person like others; their sessions end."""
    return {"person": act.remove_operator(email, by=BY, reason=reason), "operator": False}


@_command(job, "list")
def job_list() -> list[dict[str, Any]]:
    """The newest fifty jobs that failed for good."""
    return list(show.jobs({"limit": 50, "cursor": None}).items)


@_command(job, "retry")
@click.argument("job_id", type=int)
@reason
def job_retry(job_id: int, reason: str) -> dict[str, Any]:
    """Run a failed job once more."""
    return {"job": job_id, "task": act.retry_job(job_id, by=BY, reason=reason).task, "state": "waiting"}


@_command(job, "dismiss")
@click.argument("job_id", type=int)
@reason
def job_dismiss(job_id: int, reason: str) -> dict[str, Any]:
    """Leave a failed job undone."""
    return {"job": job_id, "task": act.dismiss_job(job_id, by=BY, reason=reason).task, "state": "dismissed"}


@_command(insurer, "add")
@click.argument("name")
@reason
def insurer_add(name: str, reason: str) -> dict[str, Any]:
    """Add an insurer."""
    made = act.add_insurer(name, by=BY, reason=reason)
    return {"insurer": made.id, "name": made.name}


@_command(insurer, "client")
@click.argument("insurer_id")
@click.option("--label", required=True)
@click.option("--scope", "scopes", multiple=True, required=True, help="May be given several times.")
@click.option("--certificate", type=click.File(), help="PEM file: heard only over TLS with this certificate.")
@reason
def insurer_client(
    insurer_id: str, label: str, scopes: tuple[str, ...], certificate: TextIO | None, reason: str
) -> dict[str, Any]:
    """Give an insurer a client; prints its secret, once."""
    try:
        bound = None if certificate is None else client_certificate.of_pem(certificate.read())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--certificate") from error
    client, secret = act.add_client(
        insurer_id, label=label, scopes=list(scopes), certificate=bound, by=BY, reason=reason
    )
    return {"client_id": client.id, "client_secret": secret, "scopes": sorted(scopes)}


@_command(insurer, "rotate")
@click.argument("client_id")
@reason
def insurer_rotate(client_id: str, reason: str) -> dict[str, Any]:
    """A new secret for a client; the old one is dead at once."""
    return {"client_id": client_id, "client_secret": act.rotate_client(client_id, by=BY, reason=reason)}


@_command(policy, "add")
@click.argument("insurer_id")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@reason
def policy_add(insurer_id: str, file: str, reason: str) -> dict[str, Any]:
    """Add a master policy from a JSON FILE; every mistake is named with its place."""
    try:
        body = json.loads(Path(file).read_text("utf-8"))
    except ValueError as error:
        raise click.ClickException(f"{file} is not JSON: {error}") from error
    made = act.add_policy(insurer_id, body, by=BY, reason=reason)
    return {"policy": made.id, "number": made.number, "version": made.version}


@_command(policy, "activate")
@click.argument("policy_id")
@reason
def policy_activate(policy_id: str, reason: str) -> dict[str, Any]:
    """Bind covers under this policy from now on."""
    made = act.activate_policy(policy_id, by=BY, reason=reason)
    return {"policy": made.id, "state": "active"}


@_command(licence, "clear")
@click.argument("person_id")
@reason
def licence_clear(person_id: str, reason: str) -> dict[str, Any]:
    """A licence was checked and is good."""
    act.clear_licence(person_id, by=BY, reason=reason)
    return {"person": person_id, "licence": "cleared"}


@_command(licence, "refuse")
@click.argument("person_id")
@reason
def licence_refuse(person_id: str, reason: str) -> dict[str, Any]:
    """A licence was checked and is not good; its holder is told the reason."""
    act.refuse_licence(person_id, by=BY, reason=reason)
    return {"person": person_id, "licence": "refused"}


@_command(rental, "close")
@click.argument("rental_id")
@reason
def rental_close(rental_id: str, reason: str) -> dict[str, Any]:
    """Close a rental that its box cannot."""
    closed = act.close_rental(rental_id, by=BY, reason=reason)
    return {"rental": closed.id, "state": closed.state}


@_command(payment, "retry")
@click.argument("payment_id")
@reason
def payment_retry(payment_id: str, reason: str) -> dict[str, Any]:
    """Try a payment again."""
    act.retry_payment(payment_id, by=BY, reason=reason)
    return {"payment": payment_id, "state": "retried"}


@_command(payment, "refund")
@click.argument("payment_id")
@click.option("--amount", type=int, help="In minor units; all that is left when not given.")
@reason
def payment_refund(payment_id: str, amount: int | None, reason: str) -> dict[str, Any]:
    """Give money back to the driver."""
    given = money.refund_payment(payment_id, amount, by=BY, reason=reason)
    return {"payment": payment_id, "state": given.state}


@_command(payment, "write-off")
@click.argument("payment_id")
@reason
def payment_write_off(payment_id: str, reason: str) -> dict[str, Any]:
    """Give up arrears; the driver stays barred from priced rentals until they pay."""
    given_up = money.write_off_payment(payment_id, by=BY, reason=reason)
    return {"payment": payment_id, "state": given_up.state}


@_command(payment, "lift-bar")
@click.argument("payment_id")
@reason
def payment_lift_bar(payment_id: str, reason: str) -> dict[str, Any]:
    """Let a driver rent at a price again although what was written off was not paid."""
    found = money.lift_bar(payment_id, by=BY, reason=reason)
    return {"payment": payment_id, "state": found.state, "bar_lifted_at": found.bar_lifted_at}


@_command(dispute, "list")
def dispute_list() -> list[dict[str, Any]]:
    """The newest fifty disputes."""
    return list(money.disputes({"limit": 50, "cursor": None, "state": None}).items)


@_command(dispute, "charge-owner")
@click.argument("dispute_id")
@reason
def dispute_charge_owner(dispute_id: str, reason: str) -> dict[str, Any]:
    """The owner caused it, and bears their share should it be lost."""
    return money.shown(money.charge_owner(dispute_id, by=BY, reason=reason))


@_command(warning, "list")
def warning_list() -> list[dict[str, Any]]:
    """The newest fifty early-fraud warnings nobody has looked at."""
    return list(money.warnings({"limit": 50, "cursor": None}).items)


@_command(warning, "clear")
@click.argument("warning_id")
@reason
def warning_clear(warning_id: str, reason: str) -> dict[str, Any]:
    """It is no fraud, or dealt with: the driver unlocks priced rentals again."""
    return money.shown_warning(money.clear_warning(warning_id, by=BY, reason=reason))


@_command(key, "rotate")
@click.argument("purpose", type=click.Choice(["people", "partners", "certificates", "grants"]))
@reason
def keys_rotate(purpose: str, reason: str) -> dict[str, Any]:
    """The next signing key of a purpose; the old one still verifies."""
    return {"purpose": purpose, "kid": act.rotate_keys(purpose, by=BY, reason=reason)}


@_command(insurer, "lift-block")
@click.argument("insurer_id")
@click.argument("person_id")
@reason
def insurer_lift_block(insurer_id: str, person_id: str, reason: str) -> dict[str, Any]:
    """An insurer that refused a driver will have them again."""
    act.lift_block(insurer_id, person_id, by=BY, reason=reason)
    return {"insurer": insurer_id, "person": person_id}


@_command(car, "safe")
@click.argument("car_id")
@click.option("--unsafe", is_flag=True, help="Bar it from unlocking.")
@reason
def car_safe(car_id: str, *, unsafe: bool, reason: str) -> dict[str, Any]:
    """Let a car be unlocked again, or bar it with --unsafe."""
    act.set_safe(car_id, safe=not unsafe, by=BY, reason=reason)
    return {"car": car_id, "unsafe": unsafe}


@_command(car, "stolen")
@click.argument("car_id")
@reason
def car_stolen(car_id: str, reason: str) -> dict[str, Any]:
    """Bar a car and cut its box off the broker, also while it is lent; answers once it is cut off."""
    act_on_box.mark_stolen(car_id, by=BY, reason=reason)
    wait_cut(car_id)
    return {"car": car_id, "unsafe": True}


@_command(car, "remove-box")
@click.argument("car_id")
@reason
def car_remove_box(car_id: str, reason: str) -> dict[str, Any]:
    """Take a box out and cut it off the broker, also while the car is lent; answers once it is cut off."""
    act_on_box.remove_box(car_id, by=BY, reason=reason)
    wait_cut(car_id)
    return {"car": car_id, "box": None}


@_command(photo, "take")
@reason
def photos_take(reason: str) -> dict[str, Any]:
    """The place of the photos is this installation's, whatever its mark says; from then on it is swept."""
    return {"place": act_on_photos.take_place(by=BY, reason=reason)}


@_command(fact, "restamp")
@reason
def fact_restamp(reason: str) -> dict[str, Any]:
    """After pg_restore, before any process starts: facts not sealed yet get numbers of this cluster."""
    return {"facts": act.restamp_facts(by=BY, reason=reason)}


@_command(fact, "show")
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


@_command(insurer, "account")
@click.argument("insurer_id")
@click.option("--month", required=True, help="YYYY-MM")
@click.option("--zone", default="UTC", show_default=True, help="On whose clocks a month begins.")
def insurer_month(insurer_id: str, month: str, zone: str) -> str:
    """What an insurer was owed before a month and after it, and what moved it, in minor units."""
    return "\n".join(insurer_account.table(money.insurer_month(insurer_id, month, zone)["lines"]))


@_command(insurer, "paid")
@click.argument("insurer_id")
@movement
def insurer_paid(insurer_id: str, amount: int, currency: str, reference: str, reason: str) -> dict[str, Any]:
    """An insurer was paid, as the bank says; never more than it is owed."""
    return money.insurer_paid(insurer_id, _money(amount, currency), reference, by=BY, reason=reason)


@_command(bank, "vat-paid")
@movement
def bank_vat_paid(amount: int, currency: str, reference: str, reason: str) -> dict[str, Any]:
    """Tax was paid; never more than is owed."""
    return money.vat_paid(_money(amount, currency), reference, by=BY, reason=reason)


@_command(bank, "provider-payout")
@movement
def bank_provider_payout(amount: int, currency: str, reference: str, reason: str) -> dict[str, Any]:
    """The payment provider paid of our balance to our bank; never more than lies there by the books."""
    return money.provider_paid_out(_money(amount, currency), reference, by=BY, reason=reason)
