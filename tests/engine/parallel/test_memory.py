"""The available memory, from files as the kernel and control groups write them."""

from pathlib import Path

import pytest

from lbbic_engine.parallel.memory import usable_memory

MEMINFO = "MemTotal:       24683932 kB\nMemFree:  1000 kB\nMemAvailable:   2000000 kB\n"
AVAILABLE = 2_000_000 * 1024


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def version_2(folder: str, limit: str) -> dict[str, str]:
    return {
        f"sys/fs/cgroup/{folder}memory.max": f"{limit}\n",
        f"sys/fs/cgroup/{folder}memory.current": "300000000\n",
        f"sys/fs/cgroup/{folder}memory.stat": "anon 1\ninactive_file 100000000\n",
    }


def test_without_limits_free_memory_is_used(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/user/session\n", **version_2("user/session/", "max")}
    assert usable_memory(write(tmp_path, files)) == AVAILABLE


@pytest.mark.parametrize(
    "files",
    [
        {"proc/self/cgroup": "0::/job\n", **version_2("job/", "900000000")},
        {"proc/self/cgroup": "0::/job/step\n", **version_2("job/", "900000000")},
        {"proc/self/cgroup": "0::/\n", **version_2("", "900000000")},
        {
            "proc/self/cgroup": "5:devices:/\n4:cpu,memory:/job\n0::/\n",
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "900000000\n",
            "sys/fs/cgroup/memory/job/memory.usage_in_bytes": "300000000\n",
            "sys/fs/cgroup/memory/job/memory.stat": "cache 1\ntotal_inactive_file 100000000\n",
        },
    ],
    ids=["own group", "group above", "container", "version 1"],
)
def test_a_control_group_lowers_the_limit(tmp_path: Path, files: dict[str, str]) -> None:
    assert usable_memory(write(tmp_path, files)) == 900_000_000 - 200_000_000


def test_free_memory_is_known_with_and_without_proc(tmp_path: Path) -> None:
    assert usable_memory() > 0
    assert usable_memory(tmp_path) > 0
