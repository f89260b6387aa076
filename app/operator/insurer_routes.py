"""HTTP of operators: insurers, their clients and policies."""

from typing import Any

from app.kit.errors import AlreadyExists, InUse, StepNotAllowed
from app.kit.fields import Paging
from app.kit.http import Answer, Page
from app.kit.routes import created
from app.operator import act_on_insurer, insurer_schemas, schemas, show
from app.operator.routes import CHANGE, REFUSED, change, read, reason, routes, why

INSURER = '/insurers/<pid("ins"):insurer>'
CLIENT = INSURER + '/clients/<pid("cli"):client>'
POLICY = '/master-policies/<pid("pol"):policy>'


@read("/insurers", "Insurers", Paging, insurer_schemas.InsurerPage)
def list_insurers(query: dict[str, Any]) -> Page:
    return show.insurers(query)


@routes.add(
    "POST",
    "/insurers",
    summary="Add an insurer",
    body=insurer_schemas.InsurerIn,
    returns=insurer_schemas.Insurer,
    status=201,
    problems=(*REFUSED, AlreadyExists),
    **CHANGE,
)
def add_insurer(body: dict[str, Any]) -> Answer:
    made = act_on_insurer.add_insurer(body["name"], **why(body))
    return created(show.insurer(made), f"/operator/insurers/{made.id}")


@routes.add(
    "DELETE",
    INSURER,
    summary="Remove an insurer nothing was bound with",
    asks=("Reason",),
    status=204,
    problems=(*REFUSED, InUse),
    **CHANGE,
)
def remove_insurer(insurer: str) -> None:
    """Needs `Reason`."""
    act_on_insurer.remove_insurer(insurer, **why(reason()))


@read(INSURER + "/clients", "Clients of an insurer", Paging, insurer_schemas.PartnerClientPage)
def list_clients(insurer: str, query: dict[str, Any]) -> Page:
    return show.clients(insurer, query)


@routes.add(
    "POST",
    INSURER + "/clients",
    summary="Give an insurer a client",
    body=insurer_schemas.ClientIn,
    returns=insurer_schemas.PartnerClient,
    status=201,
    secrets=("client_secret",),
    problems=REFUSED,
    **CHANGE,
)
def add_client(insurer: str, body: dict[str, Any]) -> Answer:
    made, secret = act_on_insurer.add_client(
        insurer,
        label=body["label"],
        scopes=body["scopes"],
        public_keys=body.get("public_keys"),
        certificate=body.get("certificate_sha256"),
        certificate_alone=body.get("certificate_alone", False),
        **why(body),
    )
    return created(show.client(made, secret), f"/operator/insurers/{insurer}/clients/{made.id}")


@change(
    INSURER + '/blocks/<pid("per"):person>/lift',
    "An insurer will have a driver again",
    schemas.OperatorReason,
    insurer_schemas.BlockLifted,
)
def lift_block(insurer: str, person: str, body: dict[str, Any]) -> dict[str, Any]:
    act_on_insurer.lift_block(insurer, person, **why(body))
    return {"insurer": insurer, "person": person}


@routes.add(
    "POST",
    CLIENT + "/rotate",
    summary="A new secret; the old one is dead",
    body=schemas.OperatorReason,
    returns=insurer_schemas.PartnerClient,
    secrets=("client_secret",),
    problems=(*REFUSED, StepNotAllowed),
    **CHANGE,
)
def rotate_client(insurer: str, client: str, body: dict[str, Any]) -> dict[str, Any]:
    row = act_on_insurer.find_client(insurer, client)
    secret = act_on_insurer.rotate_client(client, **why(body))
    return show.client(row, secret)


@routes.add(
    "DELETE",
    CLIENT,
    summary="Remove a client and its tokens",
    asks=("Reason",),
    status=204,
    problems=REFUSED,
    **CHANGE,
)
def remove_client(insurer: str, client: str) -> None:
    """Needs `Reason`."""
    act_on_insurer.find_client(insurer, client)
    act_on_insurer.remove_client(client, **why(reason()))


@routes.add(
    "PUT",
    POLICY,
    summary="Put a version of a master policy in or out of force",
    body=insurer_schemas.MasterPolicyIn,
    returns=insurer_schemas.MasterPolicy,
    problems=(*REFUSED, AlreadyExists),
    **CHANGE,
)
def put_master_policy(policy: str, body: dict[str, Any]) -> dict[str, Any]:
    act_on_insurer.put_policy(policy, body["insurer"], body["policy"], active=body["active"], **why(body))
    return show.policy(policy)


@routes.add(
    "GET",
    POLICY,
    summary="A master policy",
    returns=insurer_schemas.MasterPolicy,
    etag=True,
    problems=REFUSED,
    **CHANGE,
)
def read_master_policy(policy: str) -> dict[str, Any]:
    return show.policy(policy)
