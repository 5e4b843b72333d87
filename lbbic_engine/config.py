"""Sizes of the networks, the default model, the quality scale. Imports no torch.

There are two kinds of models: the production model, which codes at every quality, and the paper's,
each of which codes at one quality. ``offers`` tells which qualities a model supports.

``quality`` runs from 1 to 8 in steps of 1/8. Whole numbers are the eight rate points of CompressAI
and the paper; between them, λ is interpolated geometrically.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

DEFAULT_WEIGHTS = "photo"

MIN_QUALITY = 1.0
MAX_QUALITY = 8.0
DEFAULT_QUALITY = 7.0  # SSIMULACRA 2 averages 80 on held-out photographs
QUALITY_STEPS = 8  # per unit of quality
QUALITY_COUNT = int((MAX_QUALITY - MIN_QUALITY) * QUALITY_STEPS) + 1

EFFORTS = ("fast", "balanced", "thorough")  # without a search for symbols, with a short, a long one
TUNES = ("psnr", "visual")  # what an encoder aims at: ``coding.masking``
METRICS = ("ssimulacra2", "butteraugli", "seams", "colour")  # ``measure.appearance``
OTHER_FORMATS = {  # that pictures are converted to, with their suffixes, the usual one first
    "avif": (".avif",),
    "webp": (".webp",),
    "jpeg": (".jpg", ".jpeg"),
}
METADATA = ("exif", "gps", "icc", "xmp")  # kinds that can be removed; gps is part of exif and xmp

# λ of the rate points: weights of the mean squared error on the 0…1 range; R is in bits per pixel.
LAMBDAS = (117.045, 227.5875, 435.6675, 845.325, 1625.625, 3140.7075, 6060.33, 11704.5)


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the production model (``networks/float_network.py``)."""

    block_size: int = 8
    hidden: int = 512
    features: int = 128
    slice_hidden: int = 256
    latent_slices: tuple[int, ...] = (8, 24, 40, 56)
    scale_levels: int = 64
    min_scale: float = 0.05
    max_scale: float = 64.0
    from_middle: bool = True  # the order of blocks (``wavefront``)

    @property
    def pixels(self) -> int:
        """Values in a block, all three colours counted."""
        return 3 * self.block_size**2

    @property
    def latents(self) -> int:
        return sum(self.latent_slices)

    @property
    def default_quality(self) -> float:
        return DEFAULT_QUALITY

    def offers(self, index: int) -> bool:
        """Whether the network supports a quality index."""
        return 0 <= index < QUALITY_COUNT


@dataclass(frozen=True)
class PaperConfig:
    """Sizes of the paper's architecture (``networks/paper/float_network.py``).

    The defaults are those of the paper's block8-low. ``context_kernels`` are the kernel sizes, in
    blocks, of the context model's layers: (3, 1, 1, 1) or (3, 3, 1, 1), or ValueError.
    """

    block_size: int = 8
    hidden: int = 768
    latents: int = 96
    context_kernels: tuple[int, ...] = (3, 1, 1, 1)
    quality: float = 4.0
    scale_levels: int = 64
    min_scale: float = 0.11
    max_scale: float = 256.0

    def __post_init__(self) -> None:
        if self.context_kernels not in ((3, 1, 1, 1), (3, 3, 1, 1)):
            raise ValueError(f"there are no networks with context kernels {self.context_kernels}")

    @property
    def pixels(self) -> int:
        """Values in a block, all three colours counted."""
        return 3 * self.block_size**2

    @property
    def from_middle(self) -> bool:
        """Whether the blocks of a picture are coded from its middle (``wavefront``)."""
        return False

    @property
    def feature_blocks(self) -> int:
        """Blocks whose features the context model reads: one, or five with the neighbours."""
        return 5 if self.context_kernels[1] == 3 else 1

    @property
    def transform_widths(self) -> tuple[int, int, int]:
        """Channels of the analysis and synthesis transforms' hidden layers."""
        return self.hidden, self.hidden * 7 // 8, self.hidden * 6 // 8

    @property
    def context_widths(self) -> tuple[int, int, int]:
        """Channels of the context model's hidden layers."""
        return self.hidden * 12 // 8, self.hidden * 10 // 8, self.hidden

    @property
    def default_quality(self) -> float:
        return self.quality

    def offers(self, index: int) -> bool:
        """Whether the network supports a quality index; it has a single one."""
        return index == quality_index(self.quality)


Config = ModelConfig | PaperConfig


@dataclass(frozen=True)
class RefinementConfig:
    """Sizes of the refinement of a production model."""

    weights: str = ""  # identity of the production model's weights, in hex
    block_size: int = 8
    ring: int = 4  # pixels around a block that are read with it
    hidden: int = 256

    @property
    def pixels(self) -> int:
        """Values in a block, all three colours counted."""
        return 3 * self.block_size**2

    @property
    def side(self) -> int:
        """Side of the patch that it reads, in pixels."""
        return self.block_size + 2 * self.ring

    @property
    def patch_pixels(self) -> int:
        """Values in the patch, all three colours counted."""
        return 3 * self.side**2


# The paper's four models, each with the rate points that it was trained for.
PAPER_VARIANTS = {
    "block8-low": (PaperConfig(), (1, 2, 3, 4)),
    "block8-high": (PaperConfig(8, 1152, 128, (3, 3, 1, 1), 5.0), (5, 6, 7, 8)),
    "block16": (PaperConfig(16, 1280, 192, (3, 1, 1, 1), 1.0), (1, 2, 3)),
    "block4": (PaperConfig(4, 512, 96, (3, 3, 1, 1), 6.0), (6, 7, 8)),
}


def paper_config(variant: str, quality: float) -> PaperConfig:
    """Sizes of a variant at any quality; ValueError for an unknown variant or quality."""
    if variant not in PAPER_VARIANTS:
        raise ValueError(f"no variant {variant!r}; there are {', '.join(PAPER_VARIANTS)}")
    quality_index(quality)
    return replace(PAPER_VARIANTS[variant][0], quality=float(quality))


def quality_index(quality: float) -> int:
    """Index of a quality, 0…56; ValueError outside 1…8."""
    if not MIN_QUALITY <= quality <= MAX_QUALITY:
        raise ValueError(f"quality must be from 1 to 8, not {quality}")
    return round((quality - MIN_QUALITY) * QUALITY_STEPS)


def quality_of(index: int) -> float:
    """The quality of an index, 0…56."""
    return MIN_QUALITY + index / QUALITY_STEPS


def lmbda(quality: float) -> float:
    """λ of a quality, interpolated geometrically between the eight rate points."""
    left = min(bisect_right(range(1, 9), quality), 7)
    low, high = LAMBDAS[left - 1], LAMBDAS[left]
    return low * float((high / low) ** (quality - left))


def error_bits(index: int) -> float:
    """What a squared error of one 8-bit value is worth in bits, at a quality index."""
    return lmbda(quality_of(index)) / (3 * 255**2)


def spread_lmbda(quality: float, spread: float) -> float:
    """λ of a quality, with a wider range: divided by ``spread`` at 1, multiplied by it at 8."""
    middle = (MIN_QUALITY + MAX_QUALITY) / 2
    return lmbda(quality) * float(spread ** ((quality - middle) / (MAX_QUALITY - middle)))
