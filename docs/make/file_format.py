"""Writes docs/file-format.md from the docstring of ``lbbic_engine/bitstream/container.py``.

python docs/make/file_format.py
"""

from __future__ import annotations

from pathlib import Path

from lbbic_engine.bitstream import container

TARGET = Path(__file__).parents[1] / "file-format.md"
HEAD = """\
# The `.lbb` file format

*`make docs` writes this page from the docstring of `lbbic_engine/bitstream/container.py`, the
module that reads and writes the format. Golden files in `tests/golden` guard it: a change of the
format changes the docstring, the version and the golden files together.*

"""
TAIL = """
## From a file to its pixels

Decoders take these steps, tile by tile. A tile is decoded, refined and filtered as if it were a
picture of its own; the map of quality and the correction are those of the whole picture. In
parentheses are the modules of `lbbic_engine` that define each step.

1. Find the model, or the refinement and the model that it names. The model says how large blocks
   are, where the first one is and how many latents a block has (`networks/weights.py`,
   `networks/refinement_files.py`, `config.py`).
2. Each block has the quality of the header, or that in the map (`bitstream/quality_map.py`).
3. Blocks come in fronts; within a front by row, then by column (`layout/wavefront.py`).
4. For each front and slice of the latents, the range coder yields a row of symbols for each block,
   with the probabilities of the model file (`bitstream/entropy.py`, `bitstream/range_coder.py`,
   `bitstream/tables.py`).
5. The networks turn symbols into blocks, in integers (`networks/integer_network.py`, for the
   paper's models `networks/paper/integer_network.py`).
6. Blocks, whose values are ordered by row, column and colour, are put together. What is outside the
   picture is cut off (`layout/blocks.py`).
7. In a grey picture, each pixel takes the mean of its colours, rounded (`coding/assemble.py`).
8. The refinement, if any, adds a residual times its strength, in sixteenths of an 8-bit value. It
   sees the outermost pixels of the tile repeated around it (`networks/refinement.py`,
   `coding/refining/tile_refiner.py`).
9. The filter, if any, changes these sixteenths; it, too, sees the outermost ones repeated. They are
   rounded to 8 bits, also without a filter. Then step 7 is taken again
   (`coding/refining/wiener.py`).
10. The correction, if any, is added, and the sums are limited to 0 to 255 (`bitstream/coarse.py`,
    `layout/coarse.py`).

A picture that is stored exactly takes none of these steps: each L chunk is a tile
(`bitstream/lossless.py`).
"""


def page() -> str:
    """The whole page."""
    text = container.__doc__ or ""
    return HEAD + text.replace("``", "`").strip() + "\n" + TAIL


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8", newline="\n")
