"""Measures CompressAI's pretrained models on a folder of pictures, as ``lbbic eval`` does LBBIC.

Rates count the bytes of all streams, without their lengths and the picture's size. PSNR and MS-SSIM
compare 8-bit pictures. The result has CompressAI's format, which ``lbbic eval --anchor`` reads.
Weights are downloaded once and cached by torch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from lbbic_engine.errors import LbbicError
from lbbic_engine.measure import metrics
from lbbic_engine.measure.rate_distortion import Measurement, compressai_document, mean
from lbbic_engine.pictures.find import picture_suffixes
from lbbic_engine.pictures.read import load_picture
from training.shared.dataset import Pixels

MODELS = (
    "bmshj2018-factorized",
    "bmshj2018-factorized-relu",
    "bmshj2018-hyperprior",
    "mbt2018-mean",
    "mbt2018",
    "cheng2020-anchor",
    "cheng2020-attn",
)
QUALITIES = range(1, 9)
STRIDE = 64  # pictures are padded to multiples of it


def measure_folder(
    folder: Path, architecture: str, qualities: Sequence[int], device: str
) -> dict[str, object]:
    """The means over a folder's pictures at each quality, in CompressAI's format.

    LbbicError if that cannot be had.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in picture_suffixes())
    if not paths:
        raise LbbicError("Nothing to measure", f"There is no picture in {folder}.")
    means: list[Measurement] = []
    for quality in qualities:
        model = load_model(architecture, quality).to(device)
        bar = tqdm(paths, desc=f"{architecture} {quality}", leave=False, disable=None)
        means.append(mean([measure(model, load_picture(path).pixels, device) for path in bar]))
    description = f"Inference (ans), {len(paths)} pictures of {folder.resolve().name}"
    return compressai_document(architecture, description, means)


def load_model(architecture: str, quality: int, *, pretrained: bool = True) -> nn.Module:
    """A model of the zoo; LbbicError where CompressAI or its weights are not to be had."""
    try:
        from training.experiments.compressai_shim import compressai
    except ImportError as error:
        raise LbbicError(
            "CompressAI is not installed",
            "It is part of the training environment: see docs/training.md.",
        ) from error
    if architecture not in MODELS:
        raise LbbicError("No such model", f"{architecture} is not one of {', '.join(MODELS)}.")
    make = compressai.zoo.image_models[architecture]
    try:
        model: nn.Module = make(quality, metric="mse", pretrained=pretrained)
    except ValueError as error:
        raise LbbicError("No such model", f"{architecture} {quality}: {error}") from error
    except (URLError, OSError) as error:
        raise LbbicError(
            "The model cannot be downloaded",
            f"{architecture} {quality}: {error}. Try again with a connection to the internet, or "
            "put the files that CompressAI names into the checkpoints folder of torch.hub.",
        ) from error
    model.eval()
    return model


@torch.no_grad()
def measure(model: nn.Module, pixels: Pixels, device: str) -> Measurement:
    """Code a picture (H, W, 3) and decode it from its streams."""
    height, width, _ = pixels.shape
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].to(device) / 255
    padding = (0, -width % STRIDE, 0, -height % STRIDE)
    started = time.perf_counter()
    coded = model.compress(functional.pad(x, padding, mode="replicate"))  # type: ignore[operator]
    encode_seconds = time.perf_counter() - started
    started = time.perf_counter()
    x_hat: Tensor = model.decompress(coded["strings"], coded["shape"])["x_hat"]  # type: ignore[operator]
    decode_seconds = time.perf_counter() - started
    rounded = (x_hat[0, :, :height, :width].clamp(0, 1) * 255).round().to(torch.uint8)
    decoded = rounded.permute(1, 2, 0).cpu().numpy()
    count = sum(len(stream) for stream in _streams(coded["strings"]))
    return Measurement(
        bpp=8 * count / (height * width),
        psnr=metrics.psnr(pixels, decoded),
        ms_ssim=metrics.ms_ssim(pixels, decoded),
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
    )


def _streams(strings: object) -> Iterator[bytes]:
    """The streams in lists of lists of them."""
    if isinstance(strings, bytes):
        yield strings
    elif isinstance(strings, list | tuple):
        for inner in strings:
            yield from _streams(inner)
