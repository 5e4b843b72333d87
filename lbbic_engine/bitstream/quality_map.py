"""Blocks of one picture that differ in quality: an index for each, the same within a group.

Groups are coded front by front, as blocks are (``layout.wavefront``), from the upper left corner.
An index is predicted as the median of its left neighbour, its upper one, and these two less the
upper left one. The difference, modulo ``QUALITY_COUNT``, is coded with probabilities that depend on
how much its four neighbours differ, and that adapt: they are integer counts of what came before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lbbic_engine.bitstream.entropy import model, queue
from lbbic_engine.bitstream.tables import TOTAL, fold
from lbbic_engine.config import QUALITY_COUNT, QUALITY_STEPS
from lbbic_engine.errors import damaged
from lbbic_engine.layout.wavefront import Grid, coding_order

T = TypeVar("T", bound=np.generic)
Indexes = NDArray[np.int64]
BlockIndexes = NDArray[np.uint8]

GROUP = 2  # blocks, side of the groups that a given map is averaged over
MAX_GROUPS = 2**19  # that a decoder accepts: a map is decoded whole, also for a part of a picture
_SIDES = (8, 4, 2, 1)

_FAMILY = model.Categorical(perfect=False)
_SPREADS = np.array([0, 2, 6])  # of the neighbours: up to these, and beyond
_HALF = QUALITY_COUNT // 2
# Before anything is coded: a count is 32 of its symbol; differences of 0, 1, 2 … by spread.
_PRIOR = np.array([2048, 256, 64, 48]), 2.0 ** -np.array([8, 2, 1, 0.5])
_GAIN, _MOST = 32, 2**24


def spread(offsets: NDArray[Any], rows: int, columns: int) -> NDArray[np.float64]:
    """Offsets of the quality of blocks (rows, columns), the same within a group.

    ``offsets`` (height, width), of any size, lie stretched over the picture: a group takes the
    mean of what it covers. ValueError for what is no map.
    """
    if offsets.ndim != 2 or not offsets.size or not np.isfinite(offsets).all():
        raise ValueError("a map of quality must be finite numbers (height, width)")
    means, side = offsets.astype(np.float64), _side(rows, columns)
    for axis, blocks in enumerate((rows, columns)):
        length = means.shape[axis]
        first = np.arange(-(-blocks // side)) * side * length // blocks
        counts = np.maximum(np.diff(first, append=length), 1)
        means = np.add.reduceat(means, first, axis=axis) / np.expand_dims(counts, 1 - axis)
    return _of_blocks(means, side, rows, columns)


def to_indexes(offsets: NDArray[np.float64], index: int) -> BlockIndexes:
    """Quality indexes: ``index`` and offsets in eighths, as far as there are qualities."""
    indexes = index + (offsets * QUALITY_STEPS).round()
    return np.asarray(indexes.clip(0, QUALITY_COUNT - 1), np.uint8)


def pack(indexes: BlockIndexes, base: int) -> bytes:
    """What a file holds of the indexes of blocks (rows, columns): groups as large as they are."""
    for side in _SIDES:
        groups = indexes[::side, ::side]
        if np.array_equal(_of_blocks(groups, side, *indexes.shape), indexes):
            break
    return bytes([side]) + encode(groups.astype(np.int64), base)


def unpack(body: bytes, rows: int, columns: int, base: int) -> BlockIndexes:
    """Indexes of blocks (rows, columns); CorruptDataError if these bytes are no map."""
    if not body or body[0] not in _SIDES:
        raise damaged("Its map of quality is missing or damaged.")
    side = body[0]
    if _groups(side, rows, columns) > MAX_GROUPS:
        raise damaged("Its map of quality is finer than allowed.")
    groups = decode(body[1:], -(-rows // side), -(-columns // side), base)
    return _of_blocks(groups.astype(np.uint8), side, rows, columns)


def encode(indexes: Indexes, base: int) -> bytes:
    """The stream of a map (rows, columns); ``base`` is the index around it."""
    encoder = queue.RangeEncoder()
    values = indexes.ravel()

    def code(front: Indexes, predicted: Indexes, rows: NDArray[np.float32]) -> Indexes:
        found = values[front]
        encoder.encode(_symbols(found - predicted), _FAMILY, rows)
        return found

    _follow(Grid(*indexes.shape), base, code)
    return bytes(encoder.get_compressed().astype("<u4").tobytes())


def decode(stream: bytes, rows: int, columns: int, base: int) -> Indexes:
    """The map (rows, columns); CorruptDataError where a stream cannot be one."""
    if len(stream) % 4:
        raise damaged("Its map of quality cannot be decoded.")
    words = np.frombuffer(stream, dtype="<u4").astype(np.uint32)
    decoder = queue.RangeDecoder(words)

    def code(front: Indexes, predicted: Indexes, rows: NDArray[np.float32]) -> Indexes:
        symbols = decoder.decode(_FAMILY, rows)
        found: Indexes = (predicted + _DIFFERENCES[symbols]) % QUALITY_COUNT
        return found

    try:
        return _follow(Grid(rows, columns), base, code).reshape(rows, columns)
    except AssertionError as error:  # what constriction raises for a stream that none has made
        raise damaged("Its map of quality cannot be decoded.") from error


def _follow(
    grid: Grid, base: int, code: Callable[[Indexes, Indexes, NDArray[np.float32]], Indexes]
) -> Indexes:
    """Goes through the fronts: ``code`` takes places, predictions and probabilities (n, symbols).

    It returns the indexes, all of which are returned at the end.
    """
    order = coding_order((grid,))
    count = grid.rows * grid.columns
    found = np.full(count + 1, base)  # by place in this order; the last: outside
    around = order.around.reshape(count, 4)
    counts = np.maximum(_PRIOR[0][:, None] * _PRIOR[1][:, None] ** _DISTANCES, 1).astype(np.int64)
    for first, last in zip(order.bounds, order.bounds[1:], strict=False):
        neighbours = found[around[first:last]]
        left, above_left, above, _ = neighbours.T
        plane = left + above - above_left
        predicted = np.maximum(np.minimum(left, above), np.minimum(np.maximum(left, above), plane))
        kinds = np.searchsorted(_SPREADS, np.ptp(neighbours, axis=1))
        probabilities = _probabilities(counts)[kinds]
        indexes = code(order.blocks[first:last], predicted, probabilities)
        found[first:last] = indexes
        np.add.at(counts, (kinds, _symbols(indexes - predicted)), _GAIN)
        counts[counts.sum(axis=1) > _MOST] += 1
        counts[counts.sum(axis=1) > _MOST] //= 2
    indexes = np.empty(count, np.int64)
    indexes[order.blocks] = found[:-1]
    return indexes


def _side(rows: int, columns: int) -> int:
    """That of the groups of a given map: larger where there would be too many."""
    sides = sorted(side for side in _SIDES if side >= GROUP)
    return next(side for side in sides if _groups(side, rows, columns) <= MAX_GROUPS)


def _groups(side: int, rows: int, columns: int) -> int:
    return -(-rows // side) * -(-columns // side)


def _of_blocks(groups: NDArray[T], side: int, rows: int, columns: int) -> NDArray[T]:
    return groups.repeat(side, axis=0).repeat(side, axis=1)[:rows, :columns]


def _symbols(differences: Indexes) -> NDArray[np.int32]:
    """Symbols of differences: 0, -1, 1, -2, … to 0, 1, 2, 3, …, modulo ``QUALITY_COUNT``."""
    return fold((differences + _HALF) % QUALITY_COUNT - _HALF).astype(np.int32)


def _probabilities(counts: Indexes) -> NDArray[np.float32]:
    """Multiples of 1 / ``TOTAL`` that sum to one: exact in float32."""
    shares = 1 + counts * (TOTAL - QUALITY_COUNT) // counts.sum(axis=1, keepdims=True)
    shares[:, 0] += TOTAL - shares.sum(axis=1)
    return np.asarray(shares / TOTAL, np.float32)


_DIFFERENCES = np.zeros(QUALITY_COUNT, np.int64)
_DIFFERENCES[_symbols(np.arange(-_HALF, _HALF + 1))] = np.arange(-_HALF, _HALF + 1)
_DISTANCES = np.abs(_DIFFERENCES)
