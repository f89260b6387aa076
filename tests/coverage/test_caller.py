"""Who asks is read once a second, and who removes a client waits as long."""

from typing import Any

import pytest
from flask import Flask

from app.coverage import caller, partners
from app.kit.db import transactional
from app.kit.steady import since_boot
from tests.coverage import factories
from tests.coverage.factories import bearer
from tests.kit.hearing import statements

COVERS = "/v1/insurer/covers"


def test_a_client_that_asks_again_within_the_second_is_not_read_again(http: Any, app: Flask) -> None:
    headers = bearer(http, factories.client(factories.insurer().id, "coverage:read"))
    began = since_boot()
    with statements() as heard:
        answers = [http.get(COVERS, headers=headers).status_code for _ in range(3)]
    assert answers == [200] * 3
    reads = sum("partner_clients" in one for one in heard)
    assert 1 <= reads <= 1 + (since_boot() - began) / caller.TRUSTED_S


def test_the_removal_returns_when_a_process_that_read_the_client_before_it_reads_again(
    http: Any, app: Flask
) -> None:
    made = factories.client(factories.insurer().id, "coverage:read")
    headers = bearer(http, made)
    began = since_boot()
    assert http.get(COVERS, headers=headers).status_code == 200
    partners.remove_client(made[0].id)
    assert since_boot() - began >= caller.TRUSTED_S
    assert http.get(COVERS, headers=headers).status_code == 401


def test_a_removal_is_not_waited_for_inside_the_transaction_that_makes_it(app: Flask) -> None:
    made, _ = factories.client(factories.insurer().id, "coverage:read")
    with pytest.raises(RuntimeError, match="inside a transaction"):
        transactional(partners.remove_client)(made.id)
