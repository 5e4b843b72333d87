"""From float networks of the paper's to a weights file, and what the integers in it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from lbbic_engine import resources
from lbbic_engine.config import PAPER_VARIANTS, lmbda, paper_config
from lbbic_engine.errors import LbbicError
from lbbic_engine.layout.blocks import merge_blocks
from lbbic_engine.measure.rate_distortion import Point
from lbbic_engine.networks import model_files, weights
from lbbic_engine.networks.paper.float_network import PaperNetwork
from lbbic_engine.pictures.find import picture_suffixes
from lbbic_engine.pictures.read import load_picture
from training.export.integer_cost import integer_point
from training.paper import integers, loop
from training.paper.acl import BEST_CLOSED
from training.paper.checkpoint import read_checkpoint
from training.paper.recipe import PaperRecipe, from_values
from training.shared import dataset
from training.shared.run_folder import RunFolder, load_state, save_float

CALIBRATION_CROPS = 16
CROP_PX = 256


@dataclass(frozen=True)
class IntegerCost:
    """What both twins give on the same crops: the float one counts bits, the other writes files."""

    float_point: Point
    integer_point: Point
    lmbda: float

    def __str__(self) -> str:
        one, other = self.float_point, self.integer_point
        change = 100 * (other.cost(self.lmbda) / one.cost(self.lmbda) - 1)
        return (
            f"float    {one.bpp:.4f} bpp, {one.psnr:.3f} dB, R + λD {one.cost(self.lmbda):.4f}\n"
            f"integer  {other.bpp:.4f} bpp, {other.psnr:.3f} dB, "
            f"R + λD {other.cost(self.lmbda):.4f} ({change:+.2f} %)"
        )


def import_checkpoint(
    checkpoint: Path,
    variant: str,
    quality: float,
    output: str,
    pictures: Path | None,
    float_path: Path | None = None,
) -> tuple[Path, IntegerCost]:
    """Write the weights file of a published checkpoint of that variant and quality.

    ``pictures`` (a folder, or the program's samples) calibrate it, and it is measured on them.
    LbbicError if the checkpoint is none, or there is no picture.
    """
    _, published = PAPER_VARIANTS[variant]
    if quality not in published:
        known = ", ".join(map(str, published))
        raise LbbicError("Not published", f"{variant} was published at the qualities {known}.")
    network = read_checkpoint(checkpoint, paper_config(variant, quality))
    samples = pictures_of(pictures)
    record: dict[str, Any] = {"source": checkpoint.name, "variant": variant}
    if float_path is not None:
        save_float(float_path, network.state_dict(), half=False)
    path = write_weights(network, output, some_tiles(samples), record)
    return path, compare(network, path, centres(samples))


def export_run(
    run: Path, data: Path, output: str, float_path: Path | None = None
) -> tuple[Path, IntegerCost]:
    """Write the weights file of a run, and measure it on the held-out pictures."""
    folder = RunFolder(run)
    recipe = from_values(folder.recipe_values())
    pictures = dataset.load(data, CROP_PX)
    calibration = [picture.numpy() for picture in pictures.pictures[:CALIBRATION_CROPS]]
    network, step = best_network(folder, recipe)
    if float_path is not None:
        save_float(float_path, network.state_dict(), half=False)
    path = write_weights(network, output, centres(calibration), folder.record(recipe, step))
    return path, compare(network, path, centres(pictures.held_out))


def evaluate_run(run: Path, data: Path) -> IntegerCost:
    """What the integers cost on the held-out pictures."""
    with TemporaryDirectory(prefix="lbbic-") as folder:
        return export_run(run, data, str(Path(folder) / "run"))[1]


def best_network(folder: RunFolder, recipe: PaperRecipe) -> tuple[PaperNetwork, int]:
    """The networks that a run has made, and their step.

    On-policy: the averaged ones. ACL: the best of those measured in the closed loop, if any.
    """
    state = load_state(folder.checkpoint)
    values = state["average"] if recipe.method == "on-policy" else state["network"]
    if recipe.method == "acl" and (folder.path / BEST_CLOSED).exists():
        values = load_state(folder.path / BEST_CLOSED)["network"]
    network = PaperNetwork(recipe.config)
    network.load_state_dict(values)
    return network, int(state["step"])


def write_weights(
    network: PaperNetwork,
    output: str,
    crops: Sequence[dataset.Pixels],
    record: dict[str, Any],
) -> Path:
    """Write the integers, in units that the crops set; BoundError if a sum could be rounded.

    ``output`` is a name in the user's folder of weights, or a path; a suffix is not needed.
    """
    path = weights_path(output)
    network = network.cpu().requires_grad_(False)
    integer = integers.integer_tensors(network, integers.calibrate(network, crops))
    analysis = integers.analysis_tensors(network)
    path.parent.mkdir(parents=True, exist_ok=True)
    weights.save_weights(path, path.stem, network.config, integer, analysis, record)
    return path


def weights_path(output: str) -> Path:
    """The file of a name in the user's folder, or of a path."""
    given = Path(output.removesuffix(".safetensors"))
    is_name = given.parent == Path() and "." not in output
    folder = model_files.user_folder() if is_name else given.parent
    return folder / f"{given.name}.safetensors"


def compare(network: PaperNetwork, path: Path, crops: Sequence[dataset.Pixels]) -> IntegerCost:
    """Code the crops with float networks and with the weights file made of them."""
    quality = network.config.quality
    description = next(d for d in weights.describe_folder(path.parent) if d.path == path)
    exact = weights.load(description, "cpu")
    return IntegerCost(
        _float_point(network, crops), integer_point(exact, crops, quality), lmbda(quality)
    )


def _float_point(network: PaperNetwork, crops: Sequence[dataset.Pixels]) -> Point:
    bits, error = 0.0, 0.0
    for crop in crops:
        coded = loop.run(network, crop)
        bits += coded.bits.sum().item()
        size = network.config.block_size
        blocks = (coded.x_hat[0] + 128).to(torch.uint8).numpy()
        decoded = merge_blocks(blocks, crop.shape[0], crop.shape[1], size)
        error += np.square(decoded.astype(float) - crop).sum()
    pixels = sum(crop.shape[0] * crop.shape[1] for crop in crops)
    return Point(bits / pixels, 10 * np.log10(255**2 / (error / (3 * pixels))))


def pictures_of(folder: Path | None) -> list[dataset.Pixels]:
    """The pictures of a folder, or the program's samples; LbbicError if there are none."""
    place = resources.FOLDER / "samples" if folder is None else folder
    paths = sorted(path for path in place.rglob("*") if path.suffix.lower() in picture_suffixes())
    if not paths:
        raise LbbicError("Nothing to measure on", f"There is no picture in {place}.")
    return [load_picture(path).pixels for path in paths]


def some_tiles(pictures: Sequence[dataset.Pixels]) -> list[dataset.Pixels]:
    """Tiles from all over the pictures, for calibration."""
    tiles = [
        picture[top : top + CROP_PX, left : left + CROP_PX]
        for picture in pictures
        for top in range(0, picture.shape[0], CROP_PX)
        for left in range(0, picture.shape[1], CROP_PX)
    ]
    return tiles[:: -(-len(tiles) // CALIBRATION_CROPS)]


def centres(pictures: Sequence[dataset.Pixels]) -> list[dataset.Pixels]:
    """The middle of each picture."""
    crops = []
    for picture in pictures:
        top, left = ((side - CROP_PX) // 2 for side in picture.shape[:2])
        top, left = max(top, 0), max(left, 0)
        crops.append(picture[top : top + CROP_PX, left : left + CROP_PX])
    return crops
