"""Make this clone ready: virtual environment, pinned packages, Mosquitto, jose. Needs Python 3.11 alone; repeatable."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "glovebox-requirements"
JOSE_TRIED = VENV / "glovebox-jose-tried"
LOCKS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
LEAST = (3, 11)
BROKER_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
BROKER_WAYS = """Mosquitto (the MQTT broker, 2.0.11 or newer) is missing and could not be installed from here.
Do one of these, then run the same command again:
  Debian, Ubuntu:  sudo apt-get update && sudo apt-get install -y mosquitto
  Fedora:          sudo dnf install -y mosquitto
  macOS:           brew install mosquitto
Only the program is needed; no service of it has to run."""


def say(text: str) -> None:
    sys.stdout.write(f"setup: {text}\n")
    sys.stdout.flush()


def fail(text: str) -> None:
    sys.stderr.write(f"setup: {text}\n")
    sys.exit(1)


def python() -> str:
    return str(VENV / "bin" / "python")


def make_environment() -> None:
    """The virtual environment; a broken one is made anew."""
    if (
        Path(python()).exists()
        and subprocess.run([python(), "-c", "import pip"], capture_output=True, check=False).returncode == 0
    ):
        return
    say("making the virtual environment .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        hint = "on Debian: apt-get install python3.11-venv"
        fail(f"Python could not make a virtual environment ({hint}).\n{done.stdout}{done.stderr}")


def install_packages() -> None:
    """The pinned packages with their hashes, once per state of the lock files."""
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in LOCKS)).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    say("installing the pinned packages (about a minute the first time)")
    command = [python(), "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--require-hashes"]
    for path in LOCKS:
        command += ["-r", str(path)]
    if subprocess.run(command, check=False).returncode:
        fail("pip could not install the packages; is the package index reachable?")
    STAMP.write_text(wanted)


def broker() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=os.pathsep.join(BROKER_PLACES))


def install_broker() -> None:
    """Mosquitto through apt-get where it is missing and we may; else what to do, in words."""
    if broker():
        return
    apt_get("mosquitto", update=True)
    if not broker():
        fail(BROKER_WAYS)


def install_jose() -> None:
    """A JOSE tool of another make, which a few tests hold our signatures against; they are skipped without it.

    It is tried once in the life of an environment: nobody who may not install it is to wait for that again.
    """
    if shutil.which("jose") or JOSE_TRIED.exists():
        return
    JOSE_TRIED.touch()
    apt_get("jose", update=False)


def apt_get(package: str, *, update: bool) -> None:
    """Install it as root or through `sudo -n`, without starting a service; where that may not be, nothing happens.

    Without `update` only by the lists that are there, and no error is shown.
    """
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (prefix and not shutil.which("sudo")):
        return
    say(f"installing {package} through apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    policy = Path("/usr/sbin/policy-rc.d")
    quiet = not prefix and not policy.exists()
    if quiet:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    steps, heard = ([["update", "-q"]], None) if update else ([], subprocess.DEVNULL)
    try:
        for step in (*steps, ["install", "-y", "-q", "--no-install-recommends", package]):
            command = [*prefix, "apt-get", *step]
            subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL, stderr=heard)
    finally:
        if quiet:
            policy.unlink(missing_ok=True)


def main() -> None:
    if sys.version_info[:2] < LEAST:
        fail(f"Python {LEAST[0]}.{LEAST[1]} or newer is needed, this is {sys.version.split()[0]}.")
    make_environment()
    install_packages()
    install_broker()
    install_jose()
    say("ready")


if __name__ == "__main__":
    main()
