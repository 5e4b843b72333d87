"""Fronts replayed as CUDA graphs: few launches instead of some forty between two exchanges.

A graph runs the same kernels on the same memory each time. Fronts are therefore padded to a few
widths. For each width, what a model does between two exchanges is captured once, from the model
itself: its port ends a graph wherever symbols are due. Levels and symbols are exchanged through
pinned memory, by copies that are parts of the graphs, so the CPU waits once for each slice.

Rows of padding contain an earlier front's values. Rows do not depend on each other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import torch
from torch import Tensor, cuda

from lbbic_engine.networks.block_model import BlockModel, SymbolPort
from lbbic_engine.networks.integer_network import IntegerModel

WIDTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)  # wider fronts keep a GPU busy as they are


def with_graphs(model: BlockModel) -> BlockModel:
    """Return a model for decoding, with graphs if it is on CUDA and LBBIC_CUDA_GRAPHS is 1."""
    wanted = os.environ.get("LBBIC_CUDA_GRAPHS") == "1"
    # Only of a model of one quality, which serves many pictures, is a capture worth its time.
    if wanted and isinstance(model, IntegerModel) and model.device == "cuda":
        return _graph_model(model)
    return model


@lru_cache(maxsize=2)  # graphs hold memory of the GPU
def _graph_model(model: BlockModel) -> GraphModel:
    return GraphModel(model)


class GraphModel:
    """A block model for ports that take ``levels`` on the CPU and return one row for each.

    ``begin`` gets no sources. Threads that share a model take turns, front by front.
    """

    def __init__(self, model: BlockModel) -> None:
        self.block_size = model.block_size
        self._model = model
        self._captured: dict[int, CapturedFront] = {}
        self._lock = Lock()

    def empty_state(self, blocks: int) -> Tensor:
        return self._model.empty_state(blocks)

    @torch.inference_mode()
    def code_front(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        width = next((width for width in WIDTHS if width >= len(front)), None)
        if width is None:
            return self._model.code_front(front, around, port)
        with self._lock:
            if width not in self._captured:
                self._captured[width] = CapturedFront(self._model, width, around)
            return self._captured[width].replay(front, around, port)


@dataclass(frozen=True)
class Exchange:
    """The buffers of a slice in a front of a fixed width: (width, latents of the slice)."""

    levels: Tensor  # pinned
    symbols: Tensor  # pinned
    means: Tensor  # on the GPU


class CapturedFront:
    """The graphs of a front with ``width`` blocks whose neighbours' state is like ``around``."""

    def __init__(self, model: BlockModel, width: int, around: Tensor) -> None:
        self._around = around.new_zeros((width, around.shape[1]))
        front = torch.zeros(width, dtype=torch.long, device=around.device)
        stream = cuda.Stream()
        stream.wait_stream(cuda.current_stream())
        with cuda.stream(stream):
            warm_up = _WarmUp()  # kernels are loaded, which must not happen during a capture
            model.code_front(front, self._around, warm_up)
            stream.synchronize()
            capture = _Capture(warm_up.buffers)
            self._state = model.code_front(front, self._around, capture)
            self._graphs, self._exchanges = capture.end(), capture.exchanges
        cuda.current_stream().wait_stream(stream)

    def replay(self, front: Tensor, around: Tensor, port: SymbolPort) -> Tensor:
        """As ``BlockModel.code_front``."""
        count = len(front)
        self._around[:count] = around
        port.begin(front)
        *of_slices, last = self._graphs
        for index, (graph, exchange) in enumerate(zip(of_slices, self._exchanges, strict=True)):
            graph.replay()
            cuda.current_stream().synchronize()
            levels = exchange.levels[:count].clone()  # the port may keep them
            symbols, _ = port.symbols(index, exchange.means[:count], levels)
            exchange.symbols[:count] = symbols
        last.replay()
        return self._state[:count].clone()


class _WarmUp:
    """A port whose symbols are all 0; makes buffers of levels and symbols for each slice."""

    def __init__(self) -> None:
        self.buffers: list[tuple[Tensor, Tensor]] = []

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        pass

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, None]:
        on_gpu = levels.device.type == "cuda"
        numbers = torch.empty(levels.shape, dtype=levels.dtype, pin_memory=on_gpu)
        symbols = torch.zeros(levels.shape, dtype=torch.int32, pin_memory=on_gpu)
        self.buffers.append((numbers, symbols))
        return symbols.to(levels.device), None


class _Capture:
    """A port that captures graphs, which end where symbols are due."""

    def __init__(self, buffers: list[tuple[Tensor, Tensor]]) -> None:
        self.exchanges: list[Exchange] = []
        self._buffers = buffers
        self._graphs: list[cuda.CUDAGraph] = []
        self._pool = cuda.graph_pool_handle()
        self._begin()

    def begin(self, front: Tensor, *sources: Tensor) -> None:
        pass

    def symbols(self, index: int, means: Tensor, levels: Tensor) -> tuple[Tensor, None]:
        numbers, symbols = self._buffers[index]
        numbers.copy_(levels, non_blocking=True)
        self.exchanges.append(Exchange(numbers, symbols, means))
        self._graphs[-1].capture_end()
        self._begin()
        return symbols.to(levels.device, non_blocking=True), None

    def end(self) -> list[cuda.CUDAGraph]:
        self._graphs[-1].capture_end()
        return self._graphs

    def _begin(self) -> None:
        graph = cuda.CUDAGraph()
        # Other threads may use the GPU meanwhile.
        graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
        self._graphs.append(graph)
