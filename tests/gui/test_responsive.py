"""The window stays responsive: nothing heavy runs in its thread.

These tests count calls, not seconds, which depend on the machine; seconds.py measures those.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lbbic_gui.jobs import requests
from lbbic_gui.jobs.messages import Source

_WINDOW = """
import gc, json, sys, threading
from pathlib import Path

from PySide6.QtWidgets import QApplication
from lbbic_gui.app import prepare
from lbbic_gui.shell.main_window import MainWindow
from lbbic_gui.state.settings import Settings
application = QApplication([])
prepare(application)
window = MainWindow(Settings())
window.show()
window.grab()
"""

_OPEN = """
print(json.dumps(sorted({"torch", "PIL", "safetensors", "constriction"} & set(sys.modules))))
window.close()
"""

_LOAD = """
class Watcher:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            is_here = threading.current_thread() is threading.main_thread()
            is_bound = "libtorch_python" in Path("/proc/self/maps").read_text()
            looked.append({"here": is_here, "bound": is_bound, "gc": gc.isenabled()})

looked = []
sys.meta_path.insert(0, Watcher())
window.session.networks.loaded.connect(application.quit)
window.begin([])
application.exec()
assert "torch" in sys.modules
print(json.dumps(looked[-1]))
window.close()
window.session.jobs.stop()
"""


_HEAVY = ("torch", "PIL", "lbbic_engine.codec", "lbbic_engine.coding", "lbbic_engine.networks")


def in_a_process(code: str) -> Any:
    run = subprocess.run(
        [sys.executable, "-c", _WINDOW + code], capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout)


def test_the_window_opens_before_the_engine_is_loaded(settings_file: Path) -> None:
    assert in_a_process(_OPEN) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux which libraries are bound")
def test_torch_is_imported_with_lazy_binding_in_its_own_thread(
    settings_file: Path,
) -> None:
    """Binding them during the import would hold the interpreter's lock and freeze the window."""
    assert in_a_process(_LOAD) == {"here": False, "bound": True, "gc": False}


def test_the_windows_thread_does_no_coding(
    user: Any, draw: Callable[..., Path], calls_of_this_thread: Any
) -> None:
    first, second = draw("first.png"), draw("second.png", 320, 240)
    user.drop(first)
    user.wait_for_result()  # the model is loaded
    with calls_of_this_thread() as calls:
        user.drop(second)
        user.wait(lambda: len(user.rows) == 2 and user.window.session.row is user.rows[1])
        fronts = user.wait_for_result().picture.front_count
    assert not [name for name in calls if name.startswith(_HEAVY)]
    assert sum(count for name, count in calls.items() if "lbbic_gui" in name) < 300 * fronts


def test_other_codecs_run_in_another_process(
    answers: Any, draw: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """These codecs do not release the interpreter's lock."""
    monkeypatch.setattr("lbbic_engine.measure.baselines.encode_at_size", None)
    path = draw("picture.png", 92, 60)
    baseline = answers.ask(requests.CompareAtSize(Source(path.name, path), "webp", 4000))
    assert 0 < baseline.file_bytes <= 4000
