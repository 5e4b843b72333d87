import numpy as np
import torch

from training.shared.losses import bits


def test_bits_match_a_logistic_distribution() -> None:
    values = torch.linspace(-9, 9, 61, dtype=torch.double)
    for scale in (0.3, 1.0, 7.0):
        upper, lower = torch.sigmoid((values + 0.5) / scale), torch.sigmoid((values - 0.5) / scale)
        true = -torch.log2(upper - lower)
        found = bits(values, torch.tensor(scale, dtype=torch.double))
        keep = (upper - lower) > 1e-9  # beyond, the plain difference cancels
        assert torch.allclose(found[keep], true[keep], rtol=1e-5)


def test_bits_and_gradients_stay_finite_far_from_the_mean() -> None:
    values = torch.tensor([0.0, 1e3, -1e5], requires_grad=True)
    scales = torch.tensor([0.05, 0.05, 64.0], requires_grad=True)
    bits(values, scales).sum().backward()
    for tensor in (bits(values, scales), values.grad, scales.grad):
        assert tensor is not None
        assert np.isfinite(tensor.detach().numpy()).all()
