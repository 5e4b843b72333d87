"""The arguments of the ``lbbic`` command line; ``batch`` and ``commands`` run the commands."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lbbic_engine.cli import batch, commands
from lbbic_engine.cli.console import escaped
from lbbic_engine.config import (
    DEFAULT_QUALITY,
    DEFAULT_WEIGHTS,
    EFFORTS,
    METADATA,
    METRICS,
    OTHER_FORMATS,
    TUNES,
)


def make_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lbbic", description="Learned block-based image compression.")
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_compress(subparsers)
    _add_decompress(subparsers)
    _add_info(subparsers)
    _add_thumbnail(subparsers)
    _add_eval(subparsers)
    _add_bench(subparsers)
    _add_demo(subparsers)
    return parser


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, without control characters that were typed or matched."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {escaped(message)} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"lbbic {commands.version()}")
        parser.exit()


def _add_compress(subparsers: Any) -> None:
    parser = _add_command(subparsers, "compress", batch.compress, "compress pictures to .lbb files")
    _add_inputs(parser, "pictures, folders of pictures")
    parser.add_argument(
        "-o",
        "--output",
        type=_name,
        metavar="OUT",
        help="a folder, a file for one picture, or - for standard output",
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "-q",
        "--quality",
        type=_quality,
        metavar="Q",
        help=f"1 (small) to 8 (fine) in steps of 1/8; default: {DEFAULT_QUALITY:g}, or the model's "
        "only one",
    )
    target.add_argument(
        "--target-bytes", type=_positive(int), metavar="N", help="best quality in at most N bytes"
    )
    target.add_argument(
        "--target-bpp",
        type=_positive(float),
        metavar="X",
        help="best quality in at most X bits per pixel",
    )
    target.add_argument(
        "--target-psnr", type=_positive(float), metavar="X", help="smallest file with at least X dB"
    )
    parser.add_argument(
        "--format",
        choices=("lbb", *OTHER_FORMATS),
        default="lbb",
        help="write files of another format that look as good as the .lbb files would, by "
        "SSIMULACRA 2 where its package is installed, else by MS-SSIM",
    )
    parser.add_argument(
        "--format-quality",
        type=_format_quality,
        metavar="N",
        help="write the other format at its own quality, 1 to 100",
    )
    parser.add_argument(
        "--mask",
        type=_path,
        metavar="FILE",
        help="a grey picture, stretched over the picture: white raises the quality by 2 steps, "
        "black lowers it by 2, medium grey or transparency leaves it",
    )
    parser.add_argument(
        "--longest-side",
        type=_positive(int),
        metavar="PX",
        help="resize larger pictures to at most PX pixels wide and high",
    )
    parser.add_argument(
        "--strip",
        type=_metadata,
        action="extend",
        default=[],
        metavar="KIND,KIND",
        help=f"leave metadata out: {', '.join(METADATA)} or all; gps is where it was taken; "
        "without its profile (icc), the picture is stored in sRGB",
    )
    parser.add_argument(
        "--preview",
        action="store_true",
        help="add a small preview for file managers, of at most 1 %% of the file",
    )
    parser.add_argument(
        "--skip-larger",
        action="store_true",
        help="write a file only if it is smaller than its picture",
    )
    _add_options(parser, "effort", "tune", "refine", "exact", "weights", "device", "jobs")
    _add_options(parser, "overwrite", "skip-existing", "keep-dates", "json")


def _add_decompress(subparsers: Any) -> None:
    parser = _add_command(
        subparsers, "decompress", batch.decompress, "decompress .lbb files to pictures"
    )
    _add_inputs(parser, ".lbb files, folders of them")
    parser.add_argument(
        "-o",
        "--output",
        type=_name,
        metavar="OUT",
        help="a folder for PNGs, a file whose extension gives the format, or - for a PNG on "
        "standard output",
    )
    parser.add_argument(
        "--partial", action="store_true", help="write what is left of a truncated or damaged file"
    )
    _add_options(parser, "device", "jobs", "overwrite", "skip-existing", "keep-dates", "json")


def _add_info(subparsers: Any) -> None:
    parser = _add_command(subparsers, "info", batch.info, "show what is in .lbb files")
    _add_inputs(parser, ".lbb files, folders of them")
    _add_options(parser, "json")


def _add_thumbnail(subparsers: Any) -> None:
    parser = _add_command(
        subparsers, "thumbnail", batch.thumbnail, "write a thumbnail for file managers, a PNG"
    )
    parser.add_argument("input", type=_path, metavar="FILE", help="an .lbb file")
    parser.add_argument(
        "output",
        type=_path,
        metavar="PNG",
        help="the file to write; an empty file or a PNG is replaced",
    )
    parser.add_argument(
        "-s",
        "--size",
        type=_positive(int),
        default=256,
        metavar="N",
        help="longer side at most, in pixels; default: 256; up to 512, a preview or a camera's "
        "thumbnail in the file is enough, even if it is smaller",
    )


def _add_eval(subparsers: Any) -> None:
    parser = _add_command(
        subparsers, "eval", commands.evaluate, "measure rates, PSNR, MS-SSIM and times"
    )
    _add_folder(parser)
    parser.add_argument(
        "-q",
        "--qualities",
        type=_qualities,
        metavar="Q,Q",
        help="qualities from 1 to 8; default: those of 1,2,3,4,5,6,7,8 that the model has",
    )
    parser.add_argument(
        "--anchor",
        type=_path,
        nargs="+",
        action="extend",
        default=[],
        metavar="CURVE.json",
        help="curves to compute BD-rates against, as written by eval --json",
    )
    parser.add_argument(
        "--json", type=_path, metavar="FILE", help="write all figures, for use as an anchor later"
    )
    parser.add_argument(
        "--plot", type=_plot, metavar="FILE", help="plot the curves (.png, .svg, .pdf)"
    )
    _add_options(parser, "keep")
    parser.add_argument(
        "--metrics",
        type=_metrics,
        default=(),
        metavar="NAME,NAME",
        help=f"also measure {', '.join(METRICS)}; psnr and ms-ssim are always measured",
    )
    parser.add_argument(
        "--details",
        action="store_true",
        help="with --keep, also keep decoded pictures and each block's bits and distortion",
    )
    parser.add_argument(
        "--weights",
        type=lambda text: text.split(","),
        default=[DEFAULT_WEIGHTS],
        metavar="NAME,NAME",
        help=f"the model, or several models of single qualities; default: {DEFAULT_WEIGHTS}",
    )
    _add_options(parser, "effort", "tune", "refine", "device", "jobs", "overwrite")


def _add_bench(subparsers: Any) -> None:
    parser = _add_command(
        subparsers, "bench", commands.bench, "compare speed, memory and rates with other codecs"
    )
    _add_folder(parser)
    parser.add_argument(
        "--codecs",
        default="lbbic,jpeg,webp,avif",
        metavar="NAME,NAME",
        help="lbbic, reference, jpeg, webp, avif, jxl, compressai:MODEL; "
        "default: lbbic,jpeg,webp,avif",
    )
    parser.add_argument(
        "--out",
        type=_path,
        default=Path("bench"),
        metavar="DIR",
        help="folder for results, default: bench; existing ones are not measured again",
    )


def _add_demo(subparsers: Any) -> None:
    parser = _add_command(subparsers, "demo", commands.demo, "try the codec on the sample pictures")
    _add_options(parser, "keep")
    parser.set_defaults(details=False, metrics=())
    _add_options(parser, "effort", "tune", "refine", "weights", "device", "jobs", "overwrite")


def _add_command(
    subparsers: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=text, description=text)
    parser.set_defaults(command=run)
    return parser


def _add_inputs(parser: argparse.ArgumentParser, kinds: str) -> None:
    parser.add_argument(
        "inputs",
        type=_name,
        nargs="+",
        metavar="IN",
        help=f"{kinds}, or - for standard input",
    )


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=_path, metavar="FOLDER", help="a folder of pictures, or one picture"
    )


def _add_options(parser: argparse.ArgumentParser, *names: str) -> None:
    if "effort" in names:
        parser.add_argument(
            "--effort",
            choices=EFFORTS,
            default=EFFORTS[0],
            help="balanced, thorough: smaller files of the same quality, which take 3 and 11 to 31 "
            "times as long to make",
        )
    if "refine" in names:
        parser.add_argument(
            "--no-refine",
            dest="refine",
            action="store_false",
            help="turn off the decoder's refinement: slightly faster, lower quality",
        )
    if "tune" in names:
        parser.add_argument(
            "--tune",
            choices=TUNES,
            default=TUNES[0],
            help="visual: more quality where errors are visible, less where texture hides them",
        )
    if "exact" in names:
        parser.add_argument(
            "--no-exact",
            dest="exact",
            action="store_false",
            help="code drawings like photographs, even if storing them exactly takes no more bytes",
        )
    if "weights" in names:
        parser.add_argument(
            "--weights",
            default=DEFAULT_WEIGHTS,
            metavar="NAME",
            help=f"the model to code with, default: {DEFAULT_WEIGHTS}",
        )
    if "device" in names:
        parser.add_argument(
            "--device",
            choices=("auto", "cpu", "cuda"),
            default="auto",
            help="default: auto, the faster one, which is the CPU",
        )
    if "jobs" in names:
        parser.add_argument(
            "--jobs",
            type=_positive(int),
            metavar="N",
            help="maximum number of cores, default: all that there is memory for",
        )
    if "overwrite" in names:
        existing = parser.add_mutually_exclusive_group()
        existing.add_argument("--overwrite", action="store_true", help="replace existing files")
        if "skip-existing" in names:
            existing.add_argument(
                "--skip-existing",
                action="store_true",
                help="skip inputs that already have a result, e.g. after an interruption",
            )
    if "keep" in names:
        parser.add_argument("--keep", type=_path, metavar="DIR", help="keep the .lbb files in DIR")
    if "keep-dates" in names:
        parser.add_argument(
            "--keep-dates",
            action="store_true",
            help="give each file the modification time of its input",
        )
    if "json" in names:
        parser.add_argument("--json", action="store_true", help="print a JSON object per file")


def _quality(text: str) -> float:
    quality = _number(float, text)
    if not 1 <= quality <= 8:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 8")
    return round(quality * 8) / 8


def _format_quality(text: str) -> int:
    quality = int(_number(int, text))
    if not 1 <= quality <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 100")
    return quality


def _metrics(text: str) -> tuple[str, ...]:
    names = [name for name in text.split(",") if name not in ("psnr", "ms-ssim")]
    for name in names:
        if name not in METRICS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(METRICS)}")
    return tuple(dict.fromkeys(names))


def _qualities(text: str) -> list[float]:
    return sorted({_quality(part) for part in text.split(",")})


def _metadata(text: str) -> list[str]:
    kinds = text.split(",")
    for kind in kinds:
        if kind not in (*METADATA, "all"):
            raise argparse.ArgumentTypeError(f"{kind!r} is not one of {', '.join(METADATA)}, all")
    return list(METADATA) if "all" in kinds else kinds


def _plot(text: str) -> Path:
    if not text.endswith((".png", ".svg", ".pdf")):
        raise argparse.ArgumentTypeError(f"{text} does not end with .png, .svg or .pdf")
    return Path(text)


def _path(text: str) -> Path:
    return Path(_name(text))


def _name(text: str) -> str:
    """Refuse what an unset variable of a shell leaves, which would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    return text


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = _number(kind, text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not a positive number")
        return value

    return parse


def _number(kind: type[int] | type[float], text: str) -> float:
    try:
        return kind(text)
    except ValueError:
        name = "whole number" if kind is int else "number"
        raise argparse.ArgumentTypeError(f"{text!r} is not a {name}") from None
