"""Imports torch in a worker without freezing the window.

Python's loader holds the interpreter's lock while the system binds a library, which takes a
noticeable time for torch. Called through ctypes, the system's own ``dlopen`` runs without the lock,
and the import that follows finds the library bound. The garbage collector is also kept from
scanning everything that the import creates again and again; what stays for good is frozen.
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
    """A context for the first import of torch; does nothing later."""
    if "torch" in sys.modules:  # or each change of the model would freeze what is garbage by then
        yield
        return
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
    """Bind torch's libraries; errors are left to the import, which can explain them."""
    spec = importlib.util.find_spec("torch")
    if "torch" in sys.modules or sys.platform not in _ENDING or not (spec and spec.origin):
        return
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
    folder = Path(spec.origin).parent / "lib"
    for name, mode in (("libtorch_global_deps", os.RTLD_GLOBAL), ("libtorch_python", 0)):
        dlopen(os.fsencode(folder / (name + _ENDING[sys.platform])), os.RTLD_NOW | mode)
