"""CompressAI can be imported with this torch, and its entropy model works."""

import math

import pytest
import torch

pytestmark = pytest.mark.train


def test_gaussian_conditional_gives_the_likelihood_of_a_quantised_gaussian() -> None:
    from training.experiments.compressai_shim import compressai

    model = compressai.entropy_models.GaussianConditional(None)
    model.eval()
    y = torch.tensor([[[[0.2, 3.4]]]])
    y_hat, likelihoods = model(y, scales=torch.full_like(y, 2.0), means=torch.zeros_like(y))

    def cdf(value: float) -> float:
        return 0.5 * (1 + math.erf(value / (2.0 * math.sqrt(2))))

    expected = [cdf(0.5) - cdf(-0.5), cdf(3.5) - cdf(2.5)]
    assert y_hat.flatten().tolist() == [0.0, 3.0]
    assert likelihoods.flatten().tolist() == pytest.approx(expected, abs=1e-6)
