"""Write the numbers of R packages, without data, from the reference folder: `python tests/golden/vendor.py FOLDER`.

One CSV a package below `did/numbers/`: case, quantity, value, se (15 to 17 significant digits, empty = none given),
and the data file, call and package version of each case in `did/numbers/cases.csv`.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent / "did" / "numbers"


def main(reference: Path) -> None:
    HERE.mkdir(parents=True, exist_ok=True)
    stochastic = {r["case"]: r["stochastic"] for r in csv.DictReader((reference / "did" / "cases.csv").open())}
    seen: dict[str, tuple[str, ...]] = {}
    for source in sorted((reference / "did").glob("*.json")):
        rows = json.loads(source.read_text("utf-8"))
        with (HERE / f"{source.stem}.csv").open("w", newline="") as out:
            write = csv.writer(out, lineterminator="\n").writerow
            write(("case", "quantity", "value", "se"))
            for row in rows:
                write((row["case"], row["quantity"], _text(row["value"]), _text(row["se"])))
                facts = (row["package"], row["version"], row.get("data", ""), stochastic.get(row["case"], ""))
                seen.setdefault(row["case"], (*facts, row["call"]))
    with (HERE / "cases.csv").open("w", newline="") as out:
        write = csv.writer(out, lineterminator="\n").writerow
        write(("case", "package", "version", "data", "stochastic", "call"))
        for case, facts in sorted(seen.items()):
            write((case, *facts))


def _text(value: object) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
