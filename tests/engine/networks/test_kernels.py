import numpy as np
import pytest
import torch

from lbbic_engine.networks import kernels


@pytest.mark.parametrize("kernel", kernels.KERNELS)
@pytest.mark.parametrize("rows", [1, 2, 28, 97])
def test_products_are_exact_for_the_largest_operands(kernel: str, rows: int) -> None:
    if not kernels.self_check(kernel, "cpu"):
        pytest.skip(f"{kernel} is not exact on this CPU and would not be chosen")
    random = np.random.default_rng(rows)
    for length in (8, 32, 72, 512, 1280):
        values = random.choice(np.array([-128, 127], np.int8), (rows, length))
        weights = kernels.hardest_weights(48, length, random)
        assert kernels.in_bounds(weights)
        product = kernels.make_product(weights, kernel)
        true = values.astype(np.int64) @ weights.numpy().astype(np.int64).T
        assert np.array_equal(product(torch.from_numpy(values)).numpy(), true)


@pytest.mark.parametrize("kernel", kernels.KERNELS)
@pytest.mark.parametrize("length", [8, 96, 768, 1040])
def test_wide_products_are_exact_for_the_largest_operands(kernel: str, length: int) -> None:
    """At the greatest length, sums are just below 2^31."""
    random = np.random.default_rng(length)
    limit, bound = kernels.WIDE_WEIGHT_BOUND, kernels.WIDE_ACTIVATION_BOUND
    weights = random.choice([-limit, -limit // 2, limit // 3, limit], (9, length))
    weights[:2] = [[-limit], [limit]]
    values = random.choice([-bound, -bound // 2, bound // 3, bound], (5, length))
    values[:2] = [[-bound], [bound]]
    product = kernels.make_wide_product(torch.from_numpy(weights).to(torch.int8), kernel)
    found = product(torch.from_numpy(values).to(torch.int16))
    assert np.array_equal(found.numpy(), values @ weights.T)


def test_limbs_of_wide_activations_recombine_exactly() -> None:
    bound = kernels.WIDE_ACTIVATION_BOUND
    values = torch.arange(-bound, bound + 1)[:, None]
    product = kernels.make_wide_product(torch.ones(1, 1, dtype=torch.int8), "float64")
    assert torch.equal(product(values.to(torch.int16)), values.int())


def test_a_kernel_that_saturates_fails_its_self_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def saturating(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return torch.mm(values.double(), weights.double()).clamp(-(2**20), 2**20).to(torch.int32)

    monkeypatch.setattr(torch, "_int_mm", saturating)
    kernels.self_check.cache_clear()
    try:
        assert not kernels.self_check("int8", "cpu")
        assert kernels.choose_kernel("cpu") == "float32"
    finally:
        kernels.self_check.cache_clear()


def test_an_unknown_kernel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBBIC_KERNEL", "int4")
    with pytest.raises(ValueError, match="LBBIC_KERNEL"):
        kernels.choose_kernel("cpu")
