"""The one door to CompressAI: ``from training.compressai_shim import compressai``.

CompressAI imports torchvision, whose compiled operators are missing where torchvision's build does
not match that of torch (a CUDA torchvision beside a CPU torch). Importing it then fails on its
declarations of ``nms`` and ``qnms``. Nothing here calls these two, so a bare schema is enough.
"""

import importlib
import warnings

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_library = torch.library.Library("torchvision", "FRAGMENT")  # its definitions live as long as it

for _name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, _name):
        _library.define(_name + _SCHEMA)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own use of torch.jit.script is deprecated
    compressai = importlib.import_module("compressai")
