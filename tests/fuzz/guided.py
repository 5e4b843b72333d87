"""Fuzzes one target by coverage: inputs that reach new lines are kept and mutated further.

python -m tests.fuzz.guided TARGET SEED SECONDS FOLDER; ``__main__`` runs it.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import sys
import time
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage

import atheris
from safetensors import SafetensorError

with atheris.instrument_imports(include=["lbbic_engine", "PIL"]):
    from lbbic_engine.errors import LbbicError
    from tests.fuzz.inputs import GOLDEN, mutate_bytes
    from tests.fuzz.targets import TARGETS, attempt

MOST_SECONDS = 60  # of the processor; libFuzzer's own limit counts the waiting of a busy machine
MOST_MEMORY = 4096  # MiB, which an input may not exceed
# A run ends before: atheris keeps the results of all comparisons of arrays.
MEMORY_OF_RUN = 3072

# What mutators of a format raise for inputs of another one.
UNFIT = (
    LbbicError,
    SafetensorError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    struct.error,
)


def main(name: str, seed: str, seconds: str, folder: str) -> None:
    """Run until the time is over, or memory full; print the counts at last and end the process."""
    target, found = TARGETS[name], TARGETS[name].seeds()
    for number, data in enumerate(found):
        Path(folder, f"seed-{number}").write_bytes(data)
    end = time.monotonic() + float(seconds)
    counts = {"tried": 0, "taken": 0}

    def one(data: bytes) -> None:
        used = getrusage(RUSAGE_SELF).ru_maxrss >> 10
        if time.monotonic() > end or used > MEMORY_OF_RUN:
            print(json.dumps(counts), flush=True)
            os._exit(0)
        counts["tried"] += 1
        begin = time.process_time()
        try:
            counts["taken"] += attempt(name, data)
            assert time.process_time() - begin < MOST_SECONDS
        except BaseException:
            print(json.dumps(counts), flush=True)
            raise

    def mutated(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        try:
            return target.mutate(random, data)[:most]
        except UNFIT:
            if random.random() < 0.5:
                return mutate_bytes(random, data)[:most]
            return target.mutate(random, random.choice(found))[:most]

    options = [f"-seed={seed}", "-max_len=1048576", "-timeout=1000"]
    options += [f"-rss_limit_mb={MOST_MEMORY}", f"-artifact_prefix={folder}-", folder]
    atheris.Setup([sys.argv[0], *options], one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ["LBBIC_WEIGHTS"] = str(GOLDEN)
    logging.getLogger("lbbic").setLevel(logging.CRITICAL)
    main(*sys.argv[1:])
