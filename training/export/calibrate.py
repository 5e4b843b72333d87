"""From floating point to the integer networks: the quantisation steps of the activations.

``rounding`` quantises the weights.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lbbic_engine.layout.wavefront import NEIGHBOURS
from lbbic_engine.networks.float_network import (
    ACTIVATION_LEVELS,
    LATENT_LEVELS,
    PIXEL_UNIT,
    BlockNetwork,
    Dense,
)
from lbbic_engine.networks.integer_analysis import COARSE_PARTS
from lbbic_engine.networks.integer_network import DIGIT, SLICE_GAIN, SYNTHESIS_GAIN
from training.simulation import closed_loop

LEAST_SHARE = 2e-2  # of a layer's largest activation, for units that hardly ever fire
OWN_SHARE = 0.85  # of a unit's own largest activation, in its step's logarithm


@torch.no_grad()
def calibrate(network: BlockNetwork, x: Tensor, rate: Tensor, grid: tuple[int, int]) -> None:
    """Chooses the step of every activation from what the closed loop shows on blocks x.

    x is (C, rows·columns, 3B²). A unit's step is between what it and what the largest of its layer
    would need: tails of units that seem small are long on other pictures.
    """
    largest: dict[Dense, Tensor] = {}

    def watch(layer: torch.nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(layer, Dense)
        top = output.float().amax(dim=(0, 1))
        largest[layer] = torch.maximum(largest[layer], top) if layer in largest else top

    latents = torch.full_like(network.latent_step, 1e-3)

    def watch_latents(_: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        torch.maximum(latents, inputs[1].float().abs().amax(dim=(0, 1)), out=latents)

    layers = [m for m in dense_layers(network) if m.rectified]
    hooks = [layer.register_forward_hook(watch) for layer in layers]
    hooks.append(network.synthesis_1.register_forward_pre_hook(watch_latents))
    closed_loop.run(network, x, rate, grid)
    for hook in hooks:
        hook.remove()
    for layer, top in largest.items():
        layer.output_step.copy_(activation_steps(top))
    network.latent_step.copy_(latents / LATENT_LEVELS)
    connect(network)


def activation_steps(largest: Tensor) -> Tensor:
    """Steps (units,) of the activations of a layer whose units reach ``largest`` (units,).

    Units that never fire get the coarsest: fine ones would only make sums too large.
    """
    needed = largest.clamp(min=LEAST_SHARE * largest.max())
    needed = needed.where(largest > 0, largest.max())
    return needed**OWN_SHARE * largest.max() ** (1 - OWN_SHARE) / ACTIVATION_LEVELS


def connect(network: BlockNetwork) -> None:
    """Set the input steps of every layer to those of what it reads."""
    config = network.config
    around = 4 * config.pixels
    h_step = network.context_2.output_step
    latent_step = network.latent_step * DIGIT  # of the high digit
    network.feature_layer.input_step.fill_(1 / PIXEL_UNIT)
    network.context_1.input_step[:around] = 1 / PIXEL_UNIT
    network.context_1.input_step[around:] = network.feature_layer.output_step.repeat(
        len(NEIGHBOURS)
    )
    network.context_2.input_step.copy_(network.context_1.output_step)
    network.analysis_1.input_step[: config.pixels] = DIGIT / COARSE_PARTS / PIXEL_UNIT
    network.analysis_1.input_step[config.pixels :] = h_step
    network.analysis_2.input_step.copy_(network.analysis_1.output_step)
    network.analysis_3.input_step.copy_(network.analysis_2.output_step)
    for hidden, parameters in zip(network.slice_hidden, network.slice_parameters, strict=True):
        before = hidden.weight.shape[1] - config.hidden
        hidden.input_step[: config.hidden] = h_step
        hidden.input_step[config.hidden :] = latent_step[:before] / SLICE_GAIN
        parameters.input_step.copy_(hidden.output_step)
    network.synthesis_1.input_step[: config.hidden] = h_step
    network.synthesis_1.input_step[config.hidden :] = latent_step / SYNTHESIS_GAIN
    network.synthesis_2.input_step.copy_(network.synthesis_1.output_step)
    network.synthesis_3.input_step.copy_(network.synthesis_2.output_step)


def dense_layers(network: BlockNetwork) -> list[Dense]:
    """All layers but the linear path."""
    return [module for module in network.modules() if isinstance(module, Dense)]
