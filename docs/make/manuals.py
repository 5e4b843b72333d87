"""Writes the man pages and the shells' completion of both programs, from their argument parsers.

python docs/make/manuals.py FOLDER   (a data folder: FOLDER/man/man1, bash-completion, zsh)
"""

from __future__ import annotations

import argparse
import gzip
import sys
from importlib.metadata import version
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage

from lbbic_engine.cli.arguments import make_parser
from lbbic_gui.app import make_parser as make_gui_parser

COMPLETIONS = {
    "bash": "bash-completion/completions/{}",
    "zsh": "zsh/vendor-completions/_{}",
}


def write_manuals(folder: Path) -> None:
    """Write ``lbbic.1.gz`` and ``lbbic-gui.1.gz`` below ``folder``, and the completions."""
    for parser in (make_parser(), make_gui_parser()):
        write(folder / "man" / "man1" / f"{parser.prog}.1.gz", _manual(parser))
        for shell, place in COMPLETIONS.items():
            text = shtab.complete(parser, shell=shell)
            write(folder / place.format(parser.prog), text.encode())


def _manual(parser: argparse.ArgumentParser) -> bytes:
    page = Manpage(parser, format="single-commands-section")
    page.source, page.manual = f"lbbic {version('lbbic')}", "LBBIC"
    return gzip.compress(str(page).encode(), mtime=0)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    write_manuals(Path(sys.argv[1]))
