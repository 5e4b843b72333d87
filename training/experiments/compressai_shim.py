"""Imports CompressAI: ``from training.experiments.compressai_shim import compressai``.

CompressAI imports torchvision, whose compiled operators are missing if its build does not match
that of torch (a CUDA torchvision with a CPU torch). The import then fails because ``nms`` and
``qnms`` are not declared. They are never called here, so declaring their schema is sufficient. This
is done only after a failure, since a second declaration would abort the process.
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
