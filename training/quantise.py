"""From floating point to the integer twin: steps of the activations, and rounding to them.

Weights are the affair of ``rounding``: they need no training to be rounded well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lbbic_engine.config import LAMBDAS
from lbbic_engine.model import ACTIVATION_LEVELS, LATENT_LEVELS, PIXEL_UNIT, BlockNetwork, Dense
from training import closed_loop

QUANTILE = 0.99999  # clipping costs more than coarse steps: 0.9999 costs 0.5 % of the rate
LATENT_HEADROOM = 1.5  # over the largest latents seen


@torch.no_grad()
def calibrate(network: BlockNetwork, x: Tensor, grid: tuple[int, int]) -> None:
    """Chooses the step of every activation from what the closed loop shows on blocks x.

    x is (8, rows·columns, 3B²): one crop for each rate point.
    """
    largest: dict[Dense, float] = {}

    def watch(layer: torch.nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(layer, Dense)
        values = output.float().flatten()
        if len(values) > 2**20:
            values = values[:: len(values) // 2**20]
        top = torch.quantile(values[: 2**20], QUANTILE).item()
        largest[layer] = max(largest.get(layer, 1e-3), top)

    latents = torch.full_like(network.latent_step, 1e-3)

    def watch_latents(_: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        torch.maximum(latents, inputs[1].float().abs().amax(dim=(0, 1)), out=latents)

    layers = [m for m in decoder_layers(network) if m.rectified]
    hooks = [layer.register_forward_hook(watch) for layer in layers]
    hooks.append(network.synthesis_1.register_forward_pre_hook(watch_latents))
    closed_loop.run(network, x, torch.eye(len(LAMBDAS), device=x.device), grid)
    for hook in hooks:
        hook.remove()
    for layer, top in largest.items():
        layer.output_step.fill_(top / ACTIVATION_LEVELS)
    # Clipped latents cost far more than coarse ones, and their tails are long.
    network.latent_step.copy_(latents * LATENT_HEADROOM / LATENT_LEVELS)
    connect(network)


def connect(network: BlockNetwork) -> None:
    """Tells every layer the steps of what it reads."""
    config = network.config
    around = 4 * config.pixels
    h_step = network.context_2.output_step
    network.feature_layer.input_step.fill_(1 / PIXEL_UNIT)
    network.context_1.input_step[:around] = 1 / PIXEL_UNIT
    network.context_1.input_step[around:] = network.feature_layer.output_step
    network.context_2.input_step.fill_(network.context_1.output_step)
    for hidden, parameters in zip(network.slice_hidden, network.slice_parameters, strict=True):
        before = hidden.weight.shape[1] - config.hidden
        hidden.input_step[: config.hidden] = h_step
        hidden.input_step[config.hidden :] = network.latent_step[:before]
        parameters.input_step.fill_(hidden.output_step)
    network.synthesis_1.input_step[: config.hidden] = h_step
    network.synthesis_1.input_step[config.hidden :] = network.latent_step
    network.synthesis_2.input_step.fill_(network.synthesis_1.output_step)
    network.synthesis_3.input_step.fill_(network.synthesis_2.output_step)


def decoder_layers(network: BlockNetwork) -> list[Dense]:
    """The layers that a decoder runs."""
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, Dense) and not name.startswith("analysis")
    ]


def quantise(network: BlockNetwork) -> None:
    """Activations take the values that the integer twin gives them, from here on."""
    network.quantised = True
    for layer in decoder_layers(network):
        layer.quantised = True
