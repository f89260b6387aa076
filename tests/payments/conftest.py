"""Lets `pytest tests/payments` find the packages when it is not started as `python -m pytest`."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
