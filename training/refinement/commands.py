"""``python -m training refinement``: codes the crops, trains the network, exports its file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lbbic_engine.config import DEFAULT_WEIGHTS, EFFORTS

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_commands(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``refinement`` and its three parts to the parser."""
    parser = commands.add_parser("refinement", help="train the refinement of decoded pictures")
    parts = parser.add_subparsers(required=True, metavar="PART")

    decode = parts.add_parser("decode", help="code pictures to train on")
    decode.add_argument("pictures", type=Path, help="folder of pictures")
    decode.add_argument("-o", "--output", type=Path, required=True, help="folder of crops")
    decode.add_argument("--weights", default=DEFAULT_WEIGHTS, help="whose pictures to refine")
    decode.add_argument("--effort", choices=EFFORTS, default=EFFORTS[0])
    decode.add_argument("--side", type=int, default=512, help="of a crop, in pixels, at most")
    which = decode.add_mutually_exclusive_group(required=True)
    which.add_argument("--batches", type=int, help="how many batches of crops at random places")
    which.add_argument(
        "--middles", action="store_true", help="the middles at all eight rate points, to measure on"
    )
    decode.set_defaults(action=_decode)

    train = parts.add_parser("train", help="start or continue a run")
    train.add_argument("recipe", type=Path, help="a TOML file, see training/recipes")
    train.add_argument("--held-out", type=Path, required=True, help="folder of crops to measure on")
    train.add_argument("--start", type=Path, help="float weights to start from (default: random)")
    train.add_argument("--threads", type=int, help="CPU threads (default: torch's choice)")
    train.set_defaults(action=_train)

    export = parts.add_parser("export", help="export the refinement for the codec")
    export.add_argument("name", help="of the weights whose pictures it refines")
    export.add_argument("-o", "--output", type=Path, required=True, help="folder of the file")
    export.add_argument("--float", type=Path, help="also write the float weights, to train from")
    export.set_defaults(action=_export)
    for part in (train, export):
        part.add_argument("--run", type=Path, required=True, help="folder of the run")
        part.add_argument("--crops", type=Path, required=True, help="folder of crops to train on")


def _decode(options: argparse.Namespace) -> None:
    from training.refinement.decoded import write_crops, write_middles

    how = {
        "side": options.side,
        "effort": options.effort,
        "name": options.weights,
    }
    if options.middles:
        write_middles(options.pictures, options.output, **how)
    else:
        write_crops(options.pictures, options.output, range(options.batches), **how)


def _train(options: argparse.Namespace) -> None:
    import torch

    from training.refinement.train import load_recipe, train

    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = load_recipe(options.recipe)
    train(options.run, recipe, options.crops, options.held_out, options.start)


def _export(options: argparse.Namespace) -> None:
    from training.refinement.export import export_run

    print(export_run(options.run, options.crops, options.name, options.output, options.float))
