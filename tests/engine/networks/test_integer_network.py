"""The integer network, compared with plain arithmetic that was written separately."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lbbic_engine.coding.block_loop import code_blocks
from lbbic_engine.layout.wavefront import Grid, fronts, neighbours
from lbbic_engine.networks import integer_network, model_files, weights
from lbbic_engine.networks.integer_analysis import LINEAR_BITS, AnalysisTransform
from lbbic_engine.networks.kernels import KERNELS

Integers = NDArray[np.int64]


class Scripted:
    """A port whose symbols are a fixed function of means and levels."""

    def begin(self, front: torch.Tensor, *sources: torch.Tensor) -> None:
        pass

    def symbols(
        self, index: int, means: torch.Tensor, levels: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        return scripted(means.long(), levels.long(), index).to(torch.int32), None


def scripted(means: torch.Tensor, levels: torch.Tensor, index: int) -> torch.Tensor:
    return (means * 7 + levels * 3 + index) % 9 - 4


def rounded(numerator: Integers, shift: int) -> Integers:
    """numerator / 2^shift, half to even."""
    floor = numerator >> shift
    rest = numerator - (floor << shift)
    half = 1 << (shift - 1)
    return floor + ((rest > half) | ((rest == half) & (floor & 1 == 1)))


def two_digits(numbers: Integers) -> Integers:
    high = rounded(numbers, 4).clip(-127, 127)
    return np.stack([high, (numbers - 16 * high).clip(-127, 127)], axis=1)


class Plain:
    """The formulas of ``integer``'s docstring in int64, one block at a time.

    What is rounded to float32 there is computed exactly here, in float64, and then rounded.
    """

    def __init__(self, tensors: dict[str, torch.Tensor], index: int) -> None:
        self.t = {name: value.numpy().astype(np.int64) for name, value in tensors.items()}
        self.index = index

    def layer(self, name: str, accumulator: Integers) -> Integers:
        """The output of a layer without rectifier."""
        multiplier = self.t[f"{name}.multiplier"][self.index]
        return rounded((accumulator + self.t[f"{name}.bias"][self.index]) * multiplier, 32)

    def product(self, name: str, accumulator: Integers) -> NDArray[np.float64]:
        """The output of a rectified layer, which is a float32 value."""
        multiplier = (self.t[f"{name}.multiplier"] / 2**32).astype(np.float32)
        total = (accumulator + self.t[f"{name}.bias"][self.index]).astype(np.float32)
        product = total.astype(np.float64) * multiplier.astype(np.float64)  # 24 by 24 bits
        return product.astype(np.float32).astype(np.float64)

    def rectified(self, name: str, accumulator: Integers) -> Integers:
        return self.product(name, accumulator).round().clip(-128, 127).astype(np.int64)

    def block(self, config: weights.ModelConfig, around: Integers) -> Integers:
        t, pixels, hidden = self.t, config.pixels, config.hidden
        stack = t["context.weight"] @ around
        high, low = stack[hidden : hidden + pixels], stack[hidden + pixels : hidden + 2 * pixels]
        prediction = 128 * high + low + t["prediction_bias"]
        h = self.rectified("context_1", stack[:hidden])
        h = self.rectified("context_2", t["context_2.weight"] @ h)
        branches = t["branches.weight"] @ h
        y_hat, coarse = np.zeros(0, np.int64), np.zeros(0, np.int64)
        for i, n in enumerate(config.latent_slices):
            accumulator = branches[i * config.slice_hidden : (i + 1) * config.slice_hidden]
            if i:
                accumulator = accumulator + 4 * (t[f"slice_hidden.{i}.weight"] @ coarse)
            out = self.rectified(f"slice_hidden.{i}", accumulator)
            out = self.layer(f"slice_parameters.{i}", t[f"slice_parameters.{i}.weight"] @ out)
            levels, means = out[:n].clip(0, config.scale_levels - 1), out[n:]
            symbols = scripted(torch.from_numpy(means), torch.from_numpy(levels), i).numpy()
            place = slice(len(y_hat), len(y_hat) + n)
            part = means + rounded(
                symbols * t["steps"][self.index][place], integer_network.STEP_BITS
            )
            bound = int(integer_network.LATENT_BOUND)
            y_hat = np.append(y_hat, part.clip(-bound, bound))
            scaled = rounded(y_hat[place] * t["latent_multiplier"][place], 32)
            coarse = np.append(coarse, two_digits(scaled))
        out = branches[len(config.latent_slices) * config.slice_hidden :]
        out = self.rectified("synthesis_1", out + 2 * (t["synthesis_1.weight"] @ coarse))
        out = self.rectified("synthesis_2", t["synthesis_2.weight"] @ out)
        total = t["synthesis_3.weight"] @ out + t["synthesis_3.bias"][self.index]
        total = total * t["synthesis_3.multiplier"][self.index]
        total += (t["synthesis_linear"] @ y_hat) << (32 - 3 - integer_network.SYNTHESIS_BITS)
        total += prediction << (32 - integer_network.PREDICTION_BITS)
        x_hat = rounded(total, 32).clip(-128, 127)
        feature = stack[hidden + 2 * pixels :] + t["feature.weight"] @ x_hat
        return np.append(x_hat, self.rectified("feature", feature))

    def hidden(self, name: str, accumulator: Integers) -> Integers:
        """Levels less 128, and sixteenths of fine ones."""
        level = self.product(name, accumulator).clip(-128)
        high = level.round().clip(max=127)
        low = ((level - high) * 16).round().clip(max=127)
        return np.append(high, low[self.t[f"{name}.fine"]]).astype(np.int64)

    def analysis(self, x: Integers, prediction: Integers, h: Integers) -> Integers:
        """y in 2⁻³²."""
        t, bits = self.t, integer_network.PREDICTION_BITS
        residual = (x << bits) - prediction
        coarse = two_digits(rounded(residual, bits - 3))
        out = t["analysis_1.weight"] @ np.append(coarse, h)
        out = self.hidden("analysis_1", out)
        high, low = np.split(t["analysis_2.weight"] @ out, 2)
        out = self.hidden("analysis_2", 128 * high + low)
        total = t["analysis_3.weight"] @ out + t["analysis_3.bias"][self.index]
        total = total * t["analysis_3.multiplier"][self.index]
        return total + ((t["linear"] @ residual) << (32 + 3 - bits - LINEAR_BITS))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("index", [0, 33, 56])
def test_the_integer_networks_equal_plain_integer_arithmetic(
    tiny_weights: Path, kernel: str, index: int
) -> None:
    description = next(weights.describe_folder(tiny_weights))
    tensors = model_files.part(model_files.load_file(description.path), weights.INTEGER)
    config = description.config
    rows, columns = 4, 5
    network = integer_network.IntegerNetwork(config, tensors, kernel, "cpu")
    coded = code_blocks(network.at_quality(index), rows, columns, Scripted())
    found = np.zeros((rows * columns, config.pixels + config.features), np.int64)
    for front, state in coded:
        found[front] = state.numpy()

    plain = Plain(tensors, index)
    true = np.zeros((rows * columns + 1, config.pixels + config.features), np.int64)
    true[-1, config.pixels :] = integer_network.OUTSIDE_FEATURE
    around = neighbours(Grid(rows, columns))
    for front in fronts(Grid(rows, columns)):
        for block in front:
            true[block] = plain.block(config, true[around[block]].ravel())
    assert np.array_equal(found, true[:-1])
    assert len(np.unique(found[:, : config.pixels])) > 20  # the blocks are not trivial


def test_a_rectified_layer_rounds_its_product_to_float32_first() -> None:
    """Near half of a level rounding first matters: it makes ties that exact arithmetic lacks."""
    random = np.random.default_rng(0)
    accumulator = random.integers(2**16, 2**23, 1000)
    multiplier = ((random.integers(0, 120, 1000) + 0.5) / accumulator).astype(np.float32)
    exact = accumulator * multiplier.astype(np.float64)
    expected = exact.astype(np.float32).round()
    found = integer_network.activation(
        torch.from_numpy(accumulator).to(torch.int32), torch.from_numpy(multiplier)
    )
    assert np.array_equal(found.numpy(), expected)
    assert (exact.round() != expected).sum() > 100


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("index", [0, 33, 56])
def test_the_analysis_transform_equals_plain_integer_arithmetic(
    tiny_weights: Path, kernel: str, index: int
) -> None:
    """So an encoder's files do not depend on the kernel either."""
    description = next(weights.describe_folder(tiny_weights))
    tensors = model_files.part(model_files.load_file(description.path), weights.ANALYSIS)
    random = np.random.default_rng(index)
    x = random.integers(-128, 128, (40, description.config.pixels))
    bits = integer_network.PREDICTION_BITS
    # From wild predictions, whose residuals are clipped, to good ones.
    prediction = (x << bits) + random.integers(-1, 2, x.shape) * random.integers(
        1, 2 ** np.arange(2, 42)[:, None].clip(max=21), x.shape
    )
    h = random.integers(-128, 128, (40, description.config.hidden))
    found = AnalysisTransform(tensors, kernel, "cpu")(
        torch.from_numpy(x).float(),
        torch.from_numpy(prediction).to(torch.int32),
        torch.from_numpy(h).to(torch.int8),
        index=index,
    )
    plain = Plain(tensors, index)
    true = [plain.analysis(*values) for values in zip(x, prediction, h, strict=True)]
    assert np.array_equal(found.numpy() * 2.0**32, np.array(true))
