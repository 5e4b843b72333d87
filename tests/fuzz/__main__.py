"""Feeds damaged and hostile files, made from a seed, to everything that reads untrusted files.

python -m tests.fuzz [TARGET …] [--seconds 60] [--seed 1] [--guided FOLDER]

Inputs that fail are kept in build/fuzz. With --guided, inputs that reach new lines are mutated
further (``guided``), which needs atheris (the extra ``fuzz``). FOLDER holds these inputs, those
that fail, and a log. Another run continues from there and starts with the targets that have had
the least processor time.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import resource
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.fuzz.inputs import GOLDEN

COVERAGE = re.compile(rb"cov: (\d+) ft: \d+ corp: (\d+)")
COUNTS = re.compile(rb'^{"tried".*$', re.MULTILINE)  # missing if the process was killed
LOG = "log.jsonl"


def run(name: str, seed: int, seconds: float) -> bool:
    """Run the targets and print counts; return whether nothing failed."""
    from tests.fuzz.targets import attempt, made

    end, tried, taken = time.monotonic() + seconds, 0, 0
    for data in made(name, seed):
        if time.monotonic() > end:
            break
        tried += 1
        try:
            taken += attempt(name, data)
        except Exception:
            path = Path("build/fuzz", f"{name}-{seed}-{tried}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            traceback.print_exc()
            print(f"{name}: input {tried} fails, kept as {path}")
            return False
    print(f"{name}: {tried} inputs, {taken} taken, {tried - taken} refused")
    return True


def run_guided(name: str, seed: int, seconds: float, folder: Path) -> bool:
    """Run a target by coverage in a separate process, and append a line to the log."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    before = _processor_seconds()
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.guided", name]
    done = subprocess.run([*command, str(seed), str(seconds), folder / name], capture_output=True)
    (folder / f"{name}.txt").write_bytes(done.stderr + done.stdout)
    counts = next(map(json.loads, COUNTS.findall(done.stdout)), {})
    edges, corpus = max(
        ((int(a), int(b)) for a, b in COVERAGE.findall(done.stderr)), default=(0, 0)
    )
    used = round(_processor_seconds() - before, 1)
    line = {"target": name, "seed": seed, "seconds": used, **counts}
    line |= {"edges": edges, "corpus": corpus, "failed": done.returncode != 0}
    with (folder / LOG).open("a") as log:
        log.write(json.dumps(line) + "\n")
    print(f"{name}: {line}", flush=True)
    return done.returncode == 0


def total(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the log: processor seconds and inputs of all runs of each target, and most edges."""
    found: dict[str, dict[str, Any]] = {}
    lines = (folder / LOG).read_text().splitlines() if (folder / LOG).exists() else []
    for line in map(json.loads, lines):
        sums = found.setdefault(line["target"], dict.fromkeys(("runs", "edges"), 0))
        for key in ("seconds", "tried", "taken", "failed"):
            sums[key] = sums.get(key, 0) + line.get(key, 0)
        sums["edges"] = max(sums["edges"], line["edges"])
        sums["runs"] += 1
    return found


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="by default all")
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guided", type=Path, metavar="FOLDER", help="by coverage: needs atheris")
    options = parser.parse_args()
    os.environ["LBBIC_WEIGHTS"] = str(GOLDEN)
    logging.getLogger("lbbic").setLevel(logging.CRITICAL)
    from tests.fuzz.targets import TARGETS

    names = options.targets or list(TARGETS)
    if not options.guided:
        results = [run(name, options.seed, options.seconds) for name in names]
        return 0 if all(results) else 1
    so_far = total(options.guided)
    names.sort(key=lambda name: so_far.get(name, {"seconds": 0})["seconds"])
    results = [run_guided(name, options.seed, options.seconds, options.guided) for name in names]
    for name, sums in total(options.guided).items():
        print(name, sums)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
