"""The tables of a run's folder: a row of numbers is appended, the header comes first."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path


def append_row(path: Path, row: Mapping[str, object]) -> None:
    """Appends a row to a CSV file; each file has rows of the same names."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row.keys())
        if new:
            writer.writeheader()
        writer.writerow(row)


def read_rows(path: Path) -> list[dict[str, float]]:
    """All rows of such a file, if there is one; what is empty in a row is not in it."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
