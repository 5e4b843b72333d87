"""The ``lbbic`` command that makes the result on view."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from lbbic_gui.jobs.messages import METADATA, EncodeOptions, OutputFormat


def compress_command(
    source: Path,
    target: Path,
    quality: float,
    options: EncodeOptions,
    device: str,
    output: OutputFormat,
    mask: Path | None = None,
) -> str:
    """The command that makes ``target`` of ``source``, quoted for the system's shell.

    ``mask``: the file that holds the mask of the options.
    """
    words = ["lbbic", "compress", str(source), "-o", str(target)]
    if not output.is_lbb:
        words += ["--format", output.name]
    words += ["--format-quality", str(output.quality)] if output.quality else ["-q", f"{quality:g}"]
    if options.effort != "fast":
        words += ["--effort", options.effort]
    if options.tune != "psnr":
        words += ["--tune", options.tune]
    if options.model:
        words += ["--weights", options.model]
    if options.longest_side:
        words += ["--longest-side", str(options.longest_side)]
    if options.preview and output.is_lbb:
        words.append("--preview")
    if left_out := sorted(METADATA - options.keep):
        words += ["--strip", ",".join(left_out)]
    if mask is not None:
        words += ["--mask", str(mask)]
    if device != "auto":
        words += ["--device", device]
    return _quoted(words)


def decompress_command(source: Path, target: Path, *, partial: bool) -> str:
    """The command that makes a picture of an .lbb file."""
    words = ["lbbic", "decompress", str(source), "-o", str(target)]
    return _quoted(words + ["--partial"] * partial)


def _quoted(words: list[str]) -> str:
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
