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
## Where the rest is defined

| what | where |
|---|---|
| order of blocks: fronts, in quarters from the middle | `lbbic_engine/layout/wavefront.py` |
| symbols to bytes: range coder, escapes, order in a front | `lbbic_engine/bitstream/entropy.py` |
| maps of quality | `lbbic_engine/bitstream/quality_map.py` |
| the correction of slow errors | `coarse.py` in `bitstream` and `layout` of `lbbic_engine` |
| exact integer networks | `integer_network.py` in `lbbic_engine/networks` and its `paper` |
| probability tables, thresholds of scales | the model file; `lbbic_engine/bitstream/tables.py` |
| identity of the weights | `lbbic_engine/networks/weights.py` |
"""


def page() -> str:
    """The whole page."""
    text = container.__doc__ or ""
    return HEAD + text.replace("``", "`").strip() + "\n" + TAIL


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8", newline="\n")
