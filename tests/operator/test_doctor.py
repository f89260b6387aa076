"""The doctor says in words what is wrong, whatever is wrong."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from app.doctor import examine, patient, report
from app.kit import installation
from app.kit.config import BadSettingsError, Mode, Settings, from_environment
from app.kit.db import new_id, session
from app.kit.embedded_postgres import free_port
from app.kit.storage import FolderStorage
from app.operator import check_doors, check_settings
from app.operator.finding import Finding, State, run
from app.rentals.photo_models import file_of
from app.rentals.photo_place import MARK
from app.supervisor import Supervisor
from app.supervisor.part import PartFailedError
from insurance.partners import partners_of
from tests import factories
from tests.kit.bucket import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, BucketServer

ROOT = Path(__file__).parent.parent.parent
GOOD = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "GLOVEBOX_MODE": "test",
    "GLOVEBOX_SECRET_KEY": "A" * 44,
    "GLOVEBOX_PUBLIC_URL": "http://localhost",
}


def settings(app: Flask, **values: Any) -> Settings:
    known: Settings = app.extensions["glovebox"].settings
    return replace(known, **values)


def found(findings: list[Finding], what: str) -> Finding:
    return next(one for one in findings if one.what == what)


def of_settings(house: Settings) -> dict[str, State]:
    return {one.what: one.state for one in check_settings.of(house)}


def flask(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=clean, cwd=ROOT, check=False, timeout=60
    )


# -- at the command line ---------------------------------------------------------------------------------------------


def test_without_any_settings_each_missing_one_is_named_and_the_exit_is_1() -> None:
    done = flask({}, "doctor")
    assert done.returncode == 1
    for name in ("DATABASE_URL", "GLOVEBOX_SECRET_KEY", "GLOVEBOX_PUBLIC_URL"):
        assert name in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_setting_that_cannot_be_read_is_named() -> None:
    with pytest.raises(BadSettingsError) as bad:
        from_environment({**GOOD, "GLOVEBOX_SMTP_PORT": "often"})
    done = patient(bad.value).test_cli_runner().invoke(args=["doctor"])
    assert done.exit_code == 1
    assert "GLOVEBOX_SMTP_PORT" in done.stdout


@pytest.mark.parametrize("key", ["short", "A" * 43, "_" * 43, "é" * 43])
def test_a_key_of_web_push_that_is_none_is_named(key: str) -> None:
    with pytest.raises(BadSettingsError, match="GLOVEBOX_WEB_PUSH_KEY"):
        from_environment({**GOOD, "GLOVEBOX_WEB_PUSH_KEY": key})


def test_other_commands_say_why_they_are_missing() -> None:
    with pytest.raises(BadSettingsError) as bad:
        from_environment({})
    done = patient(bad.value).test_cli_runner().invoke(args=["worker", "--concurrency", "2"])
    assert done.exit_code == 1
    assert "GLOVEBOX_SECRET_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_does_not_start_on_bad_settings() -> None:
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        capture_output=True,
        text=True,
        env=clean,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "BadSettingsError" in done.stderr


def test_partners_that_cannot_be_read_are_told_of() -> None:
    with pytest.raises(ValueError, match="/0") as bad:
        partners_of(from_environment({**GOOD, "GLOVEBOX_INSURERS": '[{"countries": ["FR"]}]'}).insurers)
    done = patient(bad.value).test_cli_runner().invoke(args=["doctor"])
    assert done.exit_code == 1
    assert "/0" in done.stdout


def test_with_the_database_down_the_rest_is_examined_all_the_same() -> None:
    done = flask(GOOD, "doctor")
    assert done.returncode == 1
    assert "cannot be reached" in done.stdout
    assert "broker" in done.stdout
    assert "GLOVEBOX_MAIL_FROM" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_place_that_runs_has_nothing_wrong(place: Supervisor) -> None:
    try:
        told = place.flask("doctor")
    except PartFailedError as error:
        told = str(error)
    elsewhere = re.compile(r"wrong +master policy (?!FR)")  # cars that other stories put where no insurer is
    wrong = [one for one in told.splitlines() if one.startswith("wrong") and not elsewhere.match(one)]
    assert not wrong, told
    assert "queue" in told


# -- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "state"),
    [
        ("", "warning"),
        ("pk_live_abc", "wrong"),
        ("secret", "wrong"),
        ("sk_live_abc", "ok"),
        ("rk_live_abc", "ok"),
        ("sk_test_abc", "warning"),
    ],
)
def test_the_shape_of_the_stripe_key_is_looked_at(app: Flask, key: str, state: str) -> None:
    house = settings(app, mode=Mode.PRODUCTION, stripe_api_key=key)
    assert of_settings(house)["GLOVEBOX_STRIPE_API_KEY"] == state


@pytest.mark.parametrize(
    ("issuer", "state"), [(("Glovebox",), "warning"), (("Glovebox SAS", "1 rue X, Paris"), "ok")]
)
def test_receipts_without_an_address_are_a_warning(app: Flask, issuer: tuple[str, ...], state: str) -> None:
    house = replace(settings(app), stripe_api_key="sk_live_abc", issuer=issuer)
    assert found(list(check_settings.of(house)), "GLOVEBOX_ISSUER").state == state


@pytest.mark.parametrize("prefix", ["glv", "", "GLV-1", "TOOLONGPREFIX"])
def test_a_prefix_of_invoice_numbers_that_cannot_be_is_refused(prefix: str) -> None:
    with pytest.raises(BadSettingsError, match="GLOVEBOX_INVOICE_PREFIX"):
        from_environment({**GOOD, "GLOVEBOX_INVOICE_PREFIX": prefix})


def test_a_closed_webhook_route_is_a_warning(app: Flask) -> None:
    assert (
        of_settings(settings(app, stripe_api_key="sk_live_abc"))["GLOVEBOX_STRIPE_WEBHOOK_SECRETS"]
        == "warning"
    )
    told = of_settings(settings(app, stripe_api_key="sk_live_abc", stripe_webhook_secrets=("secret",)))
    assert told["GLOVEBOX_STRIPE_WEBHOOK_SECRETS"] == "wrong"


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read"), ("{", "not JSON"), ("{}", "has no project_id"), ("[]", "has no project_id")],
)
def test_credentials_that_cannot_be_used_are_wrong(
    app: Flask, tmp_path: Path, content: str | None, words: str
) -> None:
    file = tmp_path / "firebase.json"
    if content is not None:
        file.write_text(content)
    one = found(
        list(check_settings.of(settings(app, firebase_credentials=str(file)))),
        "GLOVEBOX_FIREBASE_CREDENTIALS",
    )
    assert (one.state, words in one.says) == ("wrong", True)


def test_good_credentials_are_told_by_their_project_alone(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "firebase.json"
    file.write_text(json.dumps({"project_id": "p1", "client_email": "a@b", "private_key": "hush"}))
    one = found(
        list(check_settings.of(settings(app, firebase_credentials=str(file)))),
        "GLOVEBOX_FIREBASE_CREDENTIALS",
    )
    assert (one.state, one.says) == ("ok", "project p1")


@pytest.mark.parametrize(
    ("sender", "state"),
    [("Glovebox", "wrong"), ("Glovebox <x@localhost>", "wrong"), ("Glovebox <x@gb.example>", "ok")],
)
def test_mails_need_an_address_to_come_from(app: Flask, sender: str, state: str) -> None:
    assert of_settings(settings(app, mode=Mode.PRODUCTION, mail_from=sender))["GLOVEBOX_MAIL_FROM"] == state


def test_production_needs_https(app: Flask) -> None:
    assert of_settings(settings(app, mode=Mode.PRODUCTION))["GLOVEBOX_PUBLIC_URL"] == "wrong"


def test_boxes_whose_passwords_can_be_overheard_are_wrong_in_production(app: Flask) -> None:
    name = "GLOVEBOX_MQTT_PUBLIC_HOST, _PORT, _TLS"
    assert of_settings(settings(app, mode=Mode.PRODUCTION))[name] == "wrong"
    assert of_settings(settings(app, mode=Mode.PRODUCTION, mqtt_public_tls=True))[name] == "ok"
    assert of_settings(settings(app))[name] == "ok"
    assert of_settings(settings(app, mqtt_public_ca="-----BEGIN"))[name] == "wrong"


def test_no_secret_is_ever_said(app: Flask) -> None:
    secrets = {
        "stripe_api_key": "sk_live_hushhush",
        "stripe_webhook_secrets": ("whsec_hushhush",),
        "smtp_password": "hushhush",
        "mqtt_password": "hushhush",
        "database_url": f"postgresql+psycopg://u:hushhush@127.0.0.1:{free_port()}/x",
    }
    assert "hushhush" not in "\n".join(report(examine(settings(app, **secrets))))


# -- doors and database ----------------------------------------------------------------------------------------------


def test_doors_nobody_stands_behind_are_wrong(app: Flask, tmp_path: Path) -> None:
    stale = tmp_path / "pid"
    stale.write_text("999999999")
    house = settings(
        app,
        mqtt_port=free_port(),
        smtp_host="127.0.0.1",
        smtp_port=free_port(),
        mqtt_accounts_dir=str(tmp_path),
        mqtt_pid_file=str(stale),
    )
    told = examine(house)
    assert found(told, "broker").state == "wrong"
    assert found(told, "GLOVEBOX_SMTP_HOST").state == "wrong"
    assert found(told, "GLOVEBOX_MQTT_PID_FILE").state == "wrong"
    assert found(told, "GLOVEBOX_MQTT_ACCOUNTS_DIR").state == "ok"


@pytest.mark.parametrize(
    ("mode", "inside", "state"), [("production", "photos", "ok"), ("production", "file/photos", "wrong")]
)
def test_photos_need_a_place_that_can_be_written(
    app: Flask, tmp_path: Path, mode: str, inside: str, state: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    place = tmp_path / inside
    one = found(list(check_doors.of(settings(app, mode=Mode(mode), photos=str(place)))), "GLOVEBOX_PHOTOS")
    assert (one.state, str(place) in one.says) == (state, True)
    assert not place.exists() or not list(FolderStorage(place).kept())


def test_photos_below_the_folder_of_a_process_are_a_warning_in_production(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for mode, state in ((Mode.PRODUCTION, "warning"), (Mode.TEST, "ok")):
        one = found(list(check_doors.of(settings(app, mode=mode))), "GLOVEBOX_PHOTOS")
        assert one.state == state


@pytest.mark.parametrize(
    ("mark", "pictures", "state"),
    [("ours", 1, "ok"), ("another", 1, "wrong"), (None, 1, "wrong"), (None, 0, "ok")],
)
def test_photos_in_a_place_that_is_not_marked_as_ours_are_wrong(
    app: Flask, tmp_path: Path, mark: str | None, pictures: int, state: str
) -> None:
    storage = FolderStorage(tmp_path)
    for _ in range(pictures):
        storage.put(file_of("ab" * 32, new_id("pic")), b"x")
    if mark is not None:
        storage.put(MARK, installation.own().encode() if mark == "ours" else mark.encode())
    one = found(examine(settings(app, photos=str(tmp_path))), "mark of the photos")
    assert (one.state, "operator photos take" in one.remedy) == (state, state == "wrong")


def test_a_bucket_that_does_not_let_us_in_is_wrong(app: Flask) -> None:
    with BucketServer() as server:
        bucket = {
            "photos": f"s3://{BUCKET}",
            "photos_endpoint": server.url,
            "photos_region": REGION,
            "photos_access_key": ACCESS_KEY,
        }
        for key, state in ((SECRET_KEY, "ok"), ("hushhush", "wrong")):
            house = settings(app, **bucket, photos_secret_key=key)
            one = found(list(check_doors.of(house)), "GLOVEBOX_PHOTOS")
            assert (one.state, "hushhush" in one.says) == (state, False)
        assert server.files == {}


@pytest.mark.parametrize("where", ["", "s3://", "s3://Bucket", "http://photos", "s3://photos/../x"])
def test_a_place_for_photos_that_is_none_is_named(where: str) -> None:
    with pytest.raises(BadSettingsError, match="GLOVEBOX_PHOTOS"):
        from_environment({**GOOD, "GLOVEBOX_PHOTOS": where})


def test_a_moved_clock_is_wrong_in_production_alone(app: Flask) -> None:
    session.execute(
        text(
            "insert into clock_offset values (true, 60000) on conflict (single) do update set milliseconds = 60000"
        )
    )
    session.commit()
    try:
        assert found(examine(settings(app, mode=Mode.PRODUCTION)), "clock").state == "wrong"
        assert found(examine(settings(app)), "clock").state == "ok"
    finally:
        session.execute(text("delete from clock_offset"))
        session.commit()


def test_a_country_with_cars_and_no_master_policy_is_wrong(app: Flask) -> None:
    factories.car(factories.person(), country="AT", time_zone="Europe/Vienna")
    one = found(examine(settings(app)), "master policy AT")
    assert (one.state, "none is in force" in one.says) == ("wrong", True)


def test_no_worker_is_a_warning_until_work_waits_for_one(app: Flask) -> None:
    session.execute(text("delete from procrastinate_jobs"))
    session.commit()
    assert found(examine(settings(app)), "worker").state == "warning"
    session.execute(
        text(
            "insert into procrastinate_jobs (queue_name, task_name, status, scheduled_at)"
            " values ('default', 'x', 'todo', now() - interval '2 min')"
        )
    )
    session.commit()
    try:
        assert found(examine(settings(app)), "worker").state == "wrong"
    finally:
        session.execute(text("delete from procrastinate_jobs"))
        session.commit()


def test_a_check_that_breaks_says_so_and_the_others_run() -> None:
    def broken() -> Any:
        raise RuntimeError("a cable is loose")

    told = run((broken, lambda: iter([Finding(State.OK, "next", "fine")])))
    assert [(one.state, one.what) for one in told] == [("wrong", "broken"), ("ok", "next")]
    assert "a cable is loose" in told[0].says
