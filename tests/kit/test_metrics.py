"""Metrics: shown to who holds their token, bounded whatever callers send, one sum over all processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

TOKEN = {"Authorization": "Bearer of the monitoring"}
ONE_MORE = """
from app.kit import metrics
metrics.REQUESTS.labels("GET", "/v1/me", "200").inc()
print(metrics.generate_latest(metrics.counts()).decode())
"""


@pytest.fixture
def shown(house: Flask) -> Iterator[None]:
    place = house.extensions["glovebox"]
    usual = place.settings
    place.settings = replace(usual, metrics_token="of the monitoring")
    yield
    place.settings = usual


def test_methods_that_callers_make_up_are_one_label(client: FlaskClient, shown: None) -> None:
    for made_up in ("BREW", "Z" * 200, "WHEN"):
        client.open("/v1/me", method=made_up)
    told = client.get("/metrics", headers=TOKEN).get_data(as_text=True)
    assert 'method="other"' in told
    assert "BREW" not in told
    assert "ZZ" not in told


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer of another", "bearer of the monitoring", "Bearer \u00fc"]
)
def test_without_the_token_there_is_nothing(client: FlaskClient, shown: None, header: str) -> None:
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 404


def test_the_gauges_of_the_database_stand_beside_the_counts(client: FlaskClient, shown: None) -> None:
    told = client.get("/metrics", headers=TOKEN).get_data(as_text=True)
    assert "glovebox_requests_total" in told
    assert "glovebox_sealing_lag_seconds" in told


def test_two_processes_with_one_folder_tell_their_sum(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for total in ("1.0", "2.0"):
        ran = subprocess.run(
            [sys.executable, "-c", ONE_MORE], env=environment, capture_output=True, text=True, check=True
        )
        assert f'glovebox_requests_total{{method="GET",route="/v1/me",status="200"}} {total}' in ran.stdout
