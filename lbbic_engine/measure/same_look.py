"""Pictures in other formats, at a quality of theirs or where they look as good as an .lbb file.

How good that is, is told by SSIMULACRA 2 where its package is installed, else by MS-SSIM, for very
small pictures by PSNR. Of a large picture, nine squares are coded and measured.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbbic_engine import codec
from lbbic_engine.coding.results import Progress, ReportProgress
from lbbic_engine.measure import baselines, metrics, ssimulacra2
from lbbic_engine.measure.sample import sample
from lbbic_engine.measure.target_search import last_that_meets
from lbbic_engine.pictures.picture import Notice, NoticeKind, Picture
from lbbic_engine.pictures.write import encode_image

Pixels = NDArray[np.uint8]

_QUALITIES = tuple(range(100, 0, -1))
_ATTEMPTS = len(_QUALITIES).bit_length()


@dataclass(frozen=True)
class Converted:
    """A file of another format, at its ``quality``; ``notices`` tell what it does not hold."""

    data: bytes
    quality: int
    notices: tuple[Notice, ...]


def convert(picture: Picture, path: str | os.PathLike[str], name: str, quality: int) -> Converted:
    """Write a picture in the format ``name`` of ``baselines.CODECS`` at its quality 1…100.

    With its metadata, as ``encode_image``, which raises UnwritableImageError; ``path`` is the
    file's name, whose suffix has to be one of that format.
    """
    options = {**baselines.CODECS[name], "quality": quality}
    data, notices = encode_image(picture, path, options)
    return Converted(data, quality, notices)


def convert_alike(
    picture: Picture,
    path: str | os.PathLike[str],
    name: str,
    quality: float | None,
    *,
    device: str,
    weights: str,
    effort: str,
    refine: bool,
    tune: str,
    progress: ReportProgress | None = None,
) -> Converted:
    """Convert at the lowest quality that looks as good as an .lbb file of ``quality``.

    What codes that file is as for ``codec.compress``. A format that cannot look as good gets its
    highest quality, with a notice. ``progress`` may raise Cancelled.
    """
    pixels = sample(picture.pixels)
    ours = codec.compress(
        Picture(pixels, grey=picture.grey),
        quality,
        device=device,
        weights=weights,
        effort=effort,
        refine=refine,
        exact=False,
        tune=tune,
        progress=progress,
    )
    measure = _measure(pixels)
    wanted = measure(pixels, ours.reconstruction)
    attempts = 0

    def encode(quality: int) -> Pixels:
        nonlocal attempts
        attempts += 1
        if progress is not None:
            progress(Progress("Comparing", min(attempts, _ATTEMPTS) - 1, _ATTEMPTS))
        return baselines.encode_at_quality(pixels, name, quality).reconstruction

    place, _ = last_that_meets(
        lambda decoded: measure(pixels, decoded) >= wanted, encode, _QUALITIES
    )
    converted = convert(picture, path, name, _QUALITIES[max(place, 0)])
    if place >= 0:
        return converted
    text = f"{name.upper()} cannot look as good as that: it was written at its highest quality."
    notice = Notice(NoticeKind.QUALITY, text)
    return Converted(converted.data, converted.quality, (*converted.notices, notice))


def _measure(pixels: Pixels) -> Callable[[Pixels, Pixels], float]:
    """The best measure that there is here for pictures of that size."""
    smallest = min(pixels.shape[:2])
    if ssimulacra2.is_installed() and smallest >= ssimulacra2.MIN_SIDE:
        return ssimulacra2.ssimulacra2
    if smallest >= metrics.MS_SSIM_SMALLEST_SIDE_PX:
        return _ms_ssim
    return metrics.psnr


def _ms_ssim(original: Pixels, decoded: Pixels) -> float:
    return metrics.ms_ssim(original, decoded) or 0.0
