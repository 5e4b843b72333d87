"""The number of available cores, from files as the kernel writes them."""

import math
from pathlib import Path

import pytest

from lbbic_engine.parallel import cores, run
from lbbic_engine.parallel.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_allowed", lambda: 8)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def version_1(quota: str) -> dict[str, str]:
    return {
        "proc/self/cgroup": "4:cpu,cpuacct:/job\n0::/\n",
        "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": f"{quota}\n",
        "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
    }


def version_2(limit: str) -> dict[str, str]:
    return {"proc/self/cgroup": "0::/job/step\n", "sys/fs/cgroup/job/cpu.max": f"{limit}\n"}


@pytest.mark.parametrize(
    ("files", "number"),
    [
        ({}, 8),
        (version_2("max 100000"), 8),
        (version_2("300000 100000"), 3),
        (version_2("150000 100000"), 2),
        (version_2("5000 100000"), 1),
        (version_2("2000000 100000"), 8),
        (version_1("-1"), 8),
        (version_1("400000"), 4),
    ],
)
def test_a_control_group_lowers_the_limit(
    tmp_path: Path, files: dict[str, str], number: int
) -> None:
    assert usable_cores(write(tmp_path, files)) == number


def test_workers_are_limited_to_the_cores_of_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path, version_2("300000 100000"))
    monkeypatch.setattr(run, "usable_cores", lambda: usable_cores(root))
    monkeypatch.setattr(run, "usable_memory", lambda: math.inf)
    assert run.max_workers() == 3
    assert run.max_workers(2) == 2
