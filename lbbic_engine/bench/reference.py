"""The slow reference of ``lbbic bench``: a straightforward implementation of the float networks.

It codes one block after the other in raster order, in float32, with ``float_network.BlockNetwork``,
the nearest symbols, and one call of the entropy coder for each slice of a block.

An installed program has no float weights, so ``float_network`` computes them from the integers in
the weights file. Activations have the range 0…255 of the integer network, but are neither rounded
nor clipped from above.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lbbic_engine.bitstream.entropy import SymbolDecoder, SymbolEncoder
from lbbic_engine.bitstream.tables import ProbabilityTables
from lbbic_engine.config import QUALITY_STEPS, ModelConfig
from lbbic_engine.layout.blocks import grid, merge_blocks, split_blocks
from lbbic_engine.layout.wavefront import NEIGHBOURS, Grid, neighbours
from lbbic_engine.networks import integer_network
from lbbic_engine.networks.block_model import SymbolPort
from lbbic_engine.networks.float_network import PIXEL_OFFSET as OFFSET
from lbbic_engine.networks.float_network import (
    PIXEL_UNIT,
    BlockNetwork,
    Dense,
    rate_weights,
    to_pixels,
    to_unit,
)
from lbbic_engine.networks.integer_analysis import COARSE_PARTS, LINEAR_BITS
from lbbic_engine.networks.kernels import WEIGHT_LIMB

Pixels = NDArray[np.uint8]
Tensors = dict[str, Tensor]
Inputs = tuple[Tensor, Tensor]  # scale and offset: the integer is scale · value + offset

_RATE_POINTS = slice(None, None, QUALITY_STEPS)  # among the 57 qualities


class Reference:
    """The float networks at one quality."""

    def __init__(self, network: BlockNetwork, tables: ProbabilityTables, quality: float) -> None:
        self._network = network
        self._tables = tables
        self._rate = rate_weights([quality])
        with torch.no_grad():
            steps = network.latent_steps(self._rate)
        self._steps = steps.split(network.config.latent_slices, dim=2)

    def encode(self, pixels: Pixels) -> bytes:
        """Encode a picture (H, W, 3) to one stream."""
        size = self._network.config.block_size
        x = to_unit(torch.from_numpy(split_blocks(pixels, size)))
        encoder = SymbolEncoder(self._tables)
        port = _EncoderPort(self._network, self._rate, self._steps, x, encoder)
        self.code(*grid(pixels.shape[0], pixels.shape[1], size), port)
        return encoder.finish()

    def decode(self, stream: bytes, height: int, width: int) -> Pixels:
        """Decode the picture (height, width, 3) in a stream of ``encode``."""
        size = self._network.config.block_size
        port = _DecoderPort(SymbolDecoder(self._tables, stream))
        blocks = self.code(*grid(height, width, size), port)
        return merge_blocks(blocks, height, width, size)

    @torch.inference_mode()
    def code(self, rows: int, columns: int, port: SymbolPort) -> Pixels:
        """Code the blocks of a grid in raster order; return them, (rows·columns, 3B²)."""
        network, config, rate = self._network, self._network.config, self._rate
        x_hat = torch.zeros(rows * columns + 1, config.pixels)  # the last is the outside
        features = torch.zeros(rows * columns + 1, config.features)
        for block, around in enumerate(neighbours(Grid(rows, columns))):
            context = x_hat[around].view(1, 1, -1)
            p, h = network.context_model(context, features[around].view(1, 1, -1), rate)
            port.begin(torch.tensor([block]), p, h)
            y_hat = torch.zeros(1, 1, 0)
            for i, step in enumerate(self._steps):
                means, levels = network.entropy_parameters(i, h, y_hat, rate)
                levels = levels.round().clamp(0, config.scale_levels - 1)
                symbols, _ = port.symbols(i, means, levels)
                part = means + step * symbols
                y_hat = torch.cat([y_hat, part], dim=2)
            reconstruction = to_pixels(network.synthesis_transform(y_hat, p, h, rate))
            x_hat[block] = reconstruction
            features[block] = network.features(reconstruction, context, rate)
        return np.asarray((x_hat[:-1] * PIXEL_UNIT + OFFSET).to(torch.uint8))


class _EncoderPort:
    def __init__(
        self,
        network: BlockNetwork,
        rate: Tensor,
        steps: tuple[Tensor, ...],
        x: Tensor,
        encoder: SymbolEncoder,
    ) -> None:
        self._network = network
        self._rate = rate
        self._steps = steps
        self._x = x
        self._encoder = encoder
        self._y: tuple[Tensor, ...] = ()

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        x, (p, h) = self._x[front].view(1, 1, -1), sources
        y = self._network.analysis_transform(x, p, h, self._rate)
        self._y = y.split(self._network.config.latent_slices, dim=2)

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, None]:
        symbols = ((self._y[index] - means) / self._steps[index]).round()
        self._encoder.encode(levels[0].int().numpy(), symbols[0].int().numpy())
        return symbols, None


class _DecoderPort:
    def __init__(self, decoder: SymbolDecoder) -> None:
        self._decoder = decoder

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        pass

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, None]:
        symbols = self._decoder.decode(levels[0].int().numpy())
        return torch.from_numpy(symbols).view_as(levels), None


@torch.no_grad()
def float_network(config: ModelConfig, exact: Tensors, analysis: Tensors) -> BlockNetwork:
    """The float networks for the two parts of a weights file; activations are levels, 0…255."""
    network = BlockNetwork(config)
    exact, analysis = (
        {name: value.double() for name, value in part.items()} for part in (exact, analysis)
    )
    _fill_context(network, exact)
    _fill_latents(network, exact)
    _fill_analysis(network, analysis)
    return network


def _fill_context(network: BlockNetwork, exact: Tensors) -> None:
    """The layers before the first symbol, and φ."""
    config = network.config
    count, pixels, hidden = len(NEIGHBOURS), config.pixels, config.hidden
    stack = exact["context.weight"].unflatten(1, (count, -1))
    parts = stack.split((pixels, config.features), dim=2)
    rows = (hidden, pixels, pixels, config.features)
    first, high, low, feature = torch.cat([p.flatten(1) for p in parts], dim=1).split(rows)

    prediction = (WEIGHT_LIMB * high + low) / 2**integer_network.PREDICTION_BITS
    network.prediction.copy_(prediction[:, : count * pixels])
    network.prediction_features.copy_(prediction[:, count * pixels :] / PIXEL_UNIT)
    inputs = [_pixels(count * pixels), _levels(count * config.features)]
    _fill(network.context_1, "context_1", exact, first, inputs)
    _fill(network.context_2, "context_2", exact, exact["context_2.weight"], [_levels(hidden)])
    whole = torch.cat([exact["feature.weight"], feature[:, : count * pixels]], dim=1)
    _fill(network.feature_layer, "feature", exact, whole, [_pixels((1 + count) * pixels)])


def _fill_latents(network: BlockNetwork, exact: Tensors) -> None:
    """The slices' layers and the synthesis transform."""
    config, unit = network.config, integer_network.LATENT_UNIT
    hidden = _levels(config.hidden)
    network.log_step.copy_(
        (exact["steps"][_RATE_POINTS] / 2**integer_network.STEP_BITS / unit).log()
    )
    coarse = (
        exact["latent_multiplier"]
        / 2**integer_network.MULTIPLIER_BITS
        * unit
        / integer_network.DIGIT
    )
    sizes = [config.slice_hidden] * len(config.latent_slices) + [config.hidden]
    *branches, synthesis = exact["branches.weight"].split(sizes)
    before = 0
    for i, (branch, width) in enumerate(zip(branches, config.latent_slices, strict=True)):
        name, layer = f"slice_hidden.{i}", network.slice_hidden[i]
        weight = torch.cat([branch, _high(exact[f"{name}.weight"])], dim=1) if i else branch
        _fill(
            layer,
            name,
            exact,
            weight,
            [hidden, _latents(coarse[:before] * integer_network.SLICE_GAIN)],
        )
        name, layer = f"slice_parameters.{i}", network.slice_parameters[i]
        units = torch.tensor([1.0, unit]).repeat_interleave(width)
        inputs = [_levels(config.slice_hidden)]
        _fill(layer, name, exact, exact[f"{name}.weight"], inputs, units)
        before += width
    whole = torch.cat([synthesis, _high(exact["synthesis_1.weight"])], dim=1)
    latents = _latents(coarse * integer_network.SYNTHESIS_GAIN)
    _fill(network.synthesis_1, "synthesis_1", exact, whole, [hidden, latents])
    _fill(network.synthesis_2, "synthesis_2", exact, exact["synthesis_2.weight"], [hidden])
    pixel = torch.tensor(PIXEL_UNIT)
    _fill(network.synthesis_3, "synthesis_3", exact, exact["synthesis_3.weight"], [hidden], pixel)
    network.synthesis_linear.copy_(exact["synthesis_linear"] / 2**integer_network.SYNTHESIS_BITS)


def _fill_analysis(network: BlockNetwork, exact: Tensors) -> None:
    """The layers of the encoder alone."""
    config, hidden = network.config, _levels(network.config.hidden)
    digits, rest = exact["analysis_1.weight"].tensor_split([2 * config.pixels], dim=1)
    inputs = [_pixels(config.pixels, integer_network.DIGIT / COARSE_PARTS), hidden]
    _fill(network.analysis_1, "analysis_1", exact, torch.cat([_high(digits), rest], dim=1), inputs)
    high, low = exact["analysis_2.weight"][:, : config.hidden].chunk(2)
    _fill(network.analysis_2, "analysis_2", exact, WEIGHT_LIMB * high + low, [hidden])
    last, unit = (
        exact["analysis_3.weight"][:, : config.hidden],
        torch.tensor(integer_network.LATENT_UNIT),
    )
    _fill(network.analysis_3, "analysis_3", exact, last, [hidden], unit)
    network.analysis_linear.copy_(exact["linear"] / 2**LINEAR_BITS)


def _pixels(count: int, step: float = 1) -> Inputs:
    return torch.full((count,), PIXEL_UNIT / step), torch.zeros(count)


def _high(weight: Tensor) -> Tensor:
    """The weights of the high digits, from interleaved weights of both digits."""
    return weight[:, ::2]


def _latents(scale: Tensor) -> Inputs:
    return scale, torch.zeros_like(scale)


def _levels(count: int) -> Inputs:
    return torch.ones(count), torch.full((count,), -float(OFFSET))


def _fill(
    layer: Dense,
    name: str,
    exact: Tensors,
    weight: Tensor,
    inputs: list[Inputs],
    unit: Tensor | float = 1.0,
) -> None:
    """Set a layer from integers; ``unit`` is the integer that represents the output 1."""
    scale, offset = (torch.cat(parts).double() for parts in zip(*inputs, strict=True))
    gain = exact[f"{name}.multiplier"] / 2**integer_network.MULTIPLIER_BITS / unit
    bias = exact[f"{name}.bias"][_RATE_POINTS] + weight @ offset
    if layer.rectified:
        layer.weight.copy_(weight * scale * gain[:, None])
        layer.bias.copy_(bias * gain + OFFSET)
    else:
        layer.weight.copy_(weight * scale)
        layer.log_gain.copy_(gain[_RATE_POINTS].log())
        layer.bias.copy_(bias * gain[_RATE_POINTS])
