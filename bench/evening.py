"""`python -m bench.evening [10000]`: how long two workers need for all rentals of an evening; `make bench` settles 500."""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from app.kit.config import Limits
from app.supervisor import Supervisor
from bench import rows_money
from bench.scale import FULL
from bench.seed import seed

RENTALS = 10_000


def main() -> int:
    console = Console(highlight=False)
    settled = int(sys.argv[1]) if len(sys.argv) > 1 else RENTALS
    scale = replace(FULL, settled=settled, rentals=max(settled, 1000), slots=96)
    roomy = {f"GLOVEBOX_LIMIT_{name.upper()}": "10000000/60" for name in Limits.__dataclass_fields__}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with Supervisor(Path(folder), mode="test", settings=roomy, entry="bench.least:app") as place:
            console.print(f"[dim]seeding {scale.rentals} rentals, then a hold for each of {settled} …[/dim]")
            row = rows_money.settlement(place, seed(place, scale))
    console.print(
        f"{settled} rentals: {settled / row['ours']:.0f} s, {row['ours']} a second, {row['ratio']} of the aim;"
        f" from command to outcome p50 {row['p50_ms'] / 1000:.1f} s, p99 {row['p99_ms'] / 1000:.1f} s"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
