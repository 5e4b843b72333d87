"""The one door to CompressAI: ``from training.experiments.compressai_shim import compressai``.

CompressAI imports torchvision, whose compiled operators are missing where torchvision's build does
not match that of torch (a CUDA torchvision beside a CPU torch). Importing it then fails on its
declarations of ``nms`` and ``qnms``. Nothing here calls these two, so a bare schema is enough; it
is declared after that failure only, for a second declaration beside the compiled ones would abort
the process.
"""

import importlib
import warnings

from torch import library

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_operators = library.Library("torchvision", "FRAGMENT")  # its definitions live as long as it

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own use of torch.jit.script is deprecated
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for _name in ("nms", "qnms"):
            _operators.define(_name + _SCHEMA)
    compressai = importlib.import_module("compressai")
