"""Exact products of 8-bit activations with 8-bit weights, and why they are exact.

Weights are -127…127; weights 2i and 2i + 1 of a row, if they have the same sign, sum to at most
±128; and every row satisfies Σ|w|·128 < 2²⁴. These bounds are checked when weights are exported.
All kernels then compute the same integers, in any order of summation:

- ``int8``: int8 × int8 → int32 (oneDNN on CPUs, tensor cores on CUDA),
- ``float32`` and ``float64``: floating-point products in which every partial sum is exact.

16-bit activations are split into two limbs, 256·high + low, with low in -128…127. The products of
the limbs are combined in int32.

Note that on CPUs without VNNI, int8 products add neighbouring pairs in 16 bits, with activations as
0…255, and saturate beyond 255·128. The bound on pairs avoids this. Since that behaviour is measured
rather than documented, a kernel is used only after it has passed ``self_check`` on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

ACTIVATION_BOUND = 128
WEIGHT_BOUND = 127
PAIR_BOUND = 128  # of the sum of two neighbouring weights of the same sign
SUM_BOUND = 2**24
WEIGHT_LIMB, ACTIVATION_LIMB = 128, 256
WIDE_ACTIVATION_BOUND = 127 * ACTIVATION_LIMB + 127
WIDE_WEIGHT_BOUND = 63
KERNELS = ("int8", "float32", "float64")
_PADDED_DEVICES = ("cuda",)  # where torch._int_mm requires more than 16 rows
_PADDED_ROWS = 32

Product = Callable[[Tensor], Tensor]


def make_product(weight: Tensor, kernel: str) -> Product:
    """Return a function from int8 (n, K) to int32 (n, outputs), for int8 weights (outputs, K)."""
    if kernel == "int8":
        return _int8_product(weight)
    dtype = torch.float32 if kernel == "float32" else torch.float64
    transposed = weight.t().to(dtype).contiguous()
    return lambda values: torch.mm(values.to(dtype), transposed).to(torch.int32)


def make_wide_product(weight: Tensor, kernel: str) -> Product:
    """Return a function from int16 (n, K) to int32 (n, outputs), for int8 weights (outputs, K).

    Activations must be within ``WIDE_ACTIVATION_BOUND``, weights within ``WIDE_WEIGHT_BOUND``, and
    sums below 2³¹.
    """
    product = make_product(weight, kernel)

    def wide(values: Tensor) -> Tensor:
        limbs = torch.empty((2, *values.shape), dtype=torch.int8, device=values.device)
        limbs[0] = (values + ACTIVATION_LIMB // 2) >> 8
        limbs[1] = values  # modulo 256: the low limb
        high, low = product(limbs.flatten(0, 1)).chunk(2)
        return low.add_(high, alpha=ACTIVATION_LIMB)

    return wide


def split_limbs(values: Tensor, base: int) -> tuple[Tensor, Tensor]:
    """Return integers high and low with values = base·high + low and -base/2 ≤ low < base/2."""
    high = (values + base // 2) >> (base.bit_length() - 1)
    return high, values - high * base


def _int8_product(weight: Tensor) -> Product:
    transposed = weight.contiguous().t()
    if weight.device.type not in _PADDED_DEVICES:
        return lambda values: torch._int_mm(values, transposed)

    def padded(values: Tensor) -> Tensor:
        missing = _PADDED_ROWS - len(values)
        if missing <= 0:
            return torch._int_mm(values, transposed)
        full = torch.nn.functional.pad(values, (0, 0, 0, missing))
        return torch._int_mm(full, transposed)[: len(values)]

    return padded


def choose_kernel(device: str) -> str:
    """Return the fastest kernel that passes ``self_check``; LBBIC_KERNEL names one to try first."""
    wanted = os.environ.get("LBBIC_KERNEL")
    if wanted is not None and wanted not in KERNELS:
        raise ValueError(f"LBBIC_KERNEL must be one of {', '.join(KERNELS)}, not {wanted}")
    candidates = (wanted, *KERNELS) if wanted else KERNELS
    return next(kernel for kernel in candidates if self_check(kernel, device))


def in_bounds(weight: Tensor) -> bool:
    """Whether products with a weight matrix (outputs, inputs) are exact in every kernel."""
    if weight.shape[1] % 2:
        return False
    wide = weight.int()
    first, second = wide[:, ::2], wide[:, 1::2]
    of_one_sign = (first + second).abs_().mul_(first * second > 0)
    return bool(
        (wide.abs() <= WEIGHT_BOUND).all()
        and (of_one_sign <= PAIR_BOUND).all()
        and (wide.abs().sum(dim=1) * ACTIVATION_BOUND < SUM_BOUND).all()
    )


def hardest_weights(rows: int, length: int, random: np.random.Generator) -> Tensor:
    """Weights (rows, length) at the bounds: pairs that sum to ±128, or that differ the most."""
    first = random.integers(PAIR_BOUND - WEIGHT_BOUND, WEIGHT_BOUND + 1, (rows, length // 2))
    pairs = np.stack([first, PAIR_BOUND - first], axis=2)
    largest = min(WEIGHT_BOUND, (SUM_BOUND - 1) // ACTIVATION_BOUND // length)
    pairs[::4] = [largest, -largest]
    signs = random.choice([-1, 1], (rows, length // 2, 1))
    signs[:2] = 1
    return torch.from_numpy((pairs * signs).reshape(rows, length).astype(np.int8))


@cache
def self_check(kernel: str, device: str) -> bool:
    """Whether products of worst-case operands, short and long, equal those in int64."""
    random = np.random.default_rng(0)
    for length in (8, 192, 1280, 2040):
        values = random.choice(np.array([-128, 127], np.int8), (24, length))
        values[:2] = [[-128], [127]]
        weights = hardest_weights(16, length, random)
        true = values.astype(np.int64) @ weights.numpy().astype(np.int64).T
        try:
            product = make_product(weights.to(device), kernel)
            computed = product(torch.from_numpy(values).to(device)).cpu().numpy()
        except RuntimeError:  # this build or device has no such product
            return False
        if not np.array_equal(computed, true):
            return False
    return True
