"""Colour profiles: conversion to sRGB with lcms, and whether a profile is sRGB.

A profile is judged by its effect, not by its name. Grey pictures have three equal channels, so a
grey profile becomes one table of 256 values for all three.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from lbbic_engine.pictures.metadata import exif, xmp
from lbbic_engine.pictures.picture import Picture

Pixels = NDArray[np.uint8]

_SAME = 2  # levels of 255 by which profiles that are meant to be sRGB may differ from it


class UnfitProfileError(ValueError):
    """The profile is damaged, or is for another kind of pixels."""


@dataclass(frozen=True)
class Conversion:
    """Conversion from the profile ``name`` to sRGB; ``convert`` maps (…, 3) uint8 to the same."""

    name: str
    convert: Callable[[Pixels], Pixels]


def space_of(icc: bytes) -> str:
    """Return the colour space of a profile: RGB, GRAY, CMYK, …; UnfitProfileError."""
    return str(_parse(icc).profile.xcolor_space).strip()


def conversion_to_srgb(icc: bytes | None, grey: bool) -> Conversion | None:
    """Return the conversion to sRGB, or None if the pixels are sRGB; UnfitProfileError."""
    if icc is None:
        return None
    profile = _parse(icc)
    name = (ImageCms.getProfileDescription(profile) or "").strip() or "without a name"
    if grey and space_of(icc) == "GRAY":
        table = _grey_table(profile)
        if _is_same(table, np.arange(256)):
            return None
        return Conversion(name, lambda pixels: table[pixels])
    transform = _transform(profile, "RGB")
    if _is_same(_apply(transform, _GRID), _GRID):
        return None
    return Conversion(name, lambda pixels: _apply(transform, pixels))


def to_srgb(picture: Picture) -> Picture:
    """Return the picture in sRGB, without a profile; UnfitProfileError."""
    conversion = conversion_to_srgb(picture.icc, picture.grey)
    pixels = conversion.convert(picture.pixels) if conversion else picture.pixels
    return as_srgb(replace(picture, pixels=pixels))


def as_srgb(picture: Picture) -> Picture:
    """Return the same pixels as sRGB: EXIF and XMP then declare no other colour space."""
    return replace(
        picture,
        icc=None,
        exif=picture.exif and exif.in_srgb(picture.exif),
        xmp=picture.xmp and xmp.in_srgb(picture.xmp),
    )


def image_to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Convert an image of any mode that lcms supports, such as CMYK, to RGB; UnfitProfileError."""
    return ImageCms.applyTransform(image, _transform(_parse(icc), image.mode)) or image


def _parse(icc: bytes) -> ImageCms.ImageCmsProfile:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ImageCms.PyCMSError) as error:
        raise UnfitProfileError("Its colour profile is damaged.") from error


def _transform(
    profile: ImageCms.ImageCmsProfile, mode: str, flags: ImageCms.Flags = ImageCms.Flags.NONE
) -> ImageCms.ImageCmsTransform:
    try:
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(profile, srgb, mode, "RGB", flags=flags)
    except ImageCms.PyCMSError as error:
        raise UnfitProfileError("Its colour profile is for other kinds of pixels.") from error


def _apply(transform: ImageCms.ImageCmsTransform, pixels: Pixels) -> Pixels:
    rows = np.ascontiguousarray(pixels).reshape(-1, pixels.shape[-2], 3)
    shown = ImageCms.applyTransform(Image.fromarray(rows), transform)
    return np.asarray(shown).reshape(pixels.shape)


def _grey_table(profile: ImageCms.ImageCmsProfile) -> Pixels:
    """sRGB values (256,) of all greys; exact, because lcms does not optimise by interpolation."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    transform = _transform(profile, "L", ImageCms.Flags.NOOPTIMIZE)
    shown = ImageCms.applyTransform(ramp, transform)
    return np.asarray(shown)[0, :, 1].copy()


def _is_same(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    return bool(np.abs(one.astype(np.int16) - other.astype(np.int16)).max() <= _SAME)


def _grid() -> Pixels:
    """(9, 81, 3): colours from the whole cube."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(9, 81, 3)


_GRID = _grid()
