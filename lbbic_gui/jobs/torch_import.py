"""Imports torch in a worker without the window standing still.

The surprise: Python's loader holds the interpreter's lock while the system binds a library, for
torch some 200 ms (700 ms from a cold disk). Called through ctypes, the system's own ``dlopen``
runs without the lock, and the import that follows finds the library bound. Nor may the garbage
collector walk through all that an import makes, again and again; what stays for good is frozen.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ENDING = {"linux": ".so", "darwin": ".dylib"}  # torch itself does the like on Windows


@contextmanager
def quiet_import() -> Iterator[None]:
    """For the first import of torch and all that is made once with it."""
    from lbbic_engine.devices import wait_briefly

    wait_briefly()
    gc.disable()
    try:
        _bind_torch()
        yield
        gc.freeze()
    finally:
        gc.enable()


def _bind_torch() -> None:
    """What fails here is left to the import, which can say why."""
    spec = importlib.util.find_spec("torch")
    if "torch" in sys.modules or sys.platform not in _ENDING or not (spec and spec.origin):
        return
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
    folder = Path(spec.origin).parent / "lib"
    for name, mode in (("libtorch_global_deps", os.RTLD_GLOBAL), ("libtorch_python", 0)):
        dlopen(os.fsencode(folder / (name + _ENDING[sys.platform])), os.RTLD_NOW | mode)
