"""CUDA graphs: a pass of the network recorded once for each shape of its inputs, then launched as a whole.

Launched one by one, the many small kernels of a step leave a GPU waiting for the host. A graph reads and writes where
it did when it was recorded. So inputs are copied into buffers of its own and results out of them, and what a pass
keeps between steps must stay in place (see passes.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

Pass = Callable[..., tuple[Tensor, ...]]
# Records a pass over the tensors given: what launches it again, and the tensors that its results are then found in.
Capture = Callable[[Pass, tuple[Tensor, ...]], tuple[Callable[[], object], tuple[Tensor, ...]]]

FIRST_CALLS = 2  # calls of a pass that are made kernel by kernel: recording does not pay for what is called once


def capture_on(device: torch.device) -> Capture | None:
    """How passes over the same buffers are recorded on a device; None where they cannot be."""
    return Recorder(device) if device.type == "cuda" else None


class Recorder:
    """Records graphs that use the same memory in turn, since none runs beside another."""

    streams: dict[torch.device, torch.cuda.Stream] = {}  # of each GPU, one to record on

    def __init__(self, device: torch.device) -> None:
        self.device, self.pool = device, torch.cuda.graph_pool_handle()
        if device not in self.streams:
            self.streams[device] = torch.cuda.Stream(device)

    def __call__(self, run: Pass, inputs: tuple[Tensor, ...]) -> tuple[Callable[[], object], tuple[Tensor, ...]]:
        """Record the kernels that `run` launches. Whatever has to be made once is made by a first run."""
        present, stream = torch.cuda.current_stream(self.device), self.streams[self.device]
        stream.wait_stream(present)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(stream):
            run(*inputs)
            graph.capture_begin(pool=self.pool, capture_error_mode="thread_local")
            try:
                results = run(*inputs)
            finally:
                graph.capture_end()
        present.wait_stream(stream)
        return graph.replay, results


class Graph:
    """One pass, recorded for inputs of one shape. What it keeps must be the same after it ran twice as after once."""

    def __init__(self, record: Capture, run: Pass, inputs: tuple[Tensor, ...]) -> None:
        with torch.inference_mode(False):  # so that they can be written to in any mode
            self.inputs = tuple(torch.empty(x.shape, dtype=x.dtype, device=x.device) for x in inputs)
        copy(inputs, self.inputs)
        self.replay, self.results = record(run, self.inputs)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        copy(inputs, self.inputs)
        self.replay()
        made = tuple(torch.empty_like(result) for result in self.results)
        copy(self.results, made)
        return made


def copy(given: tuple[Tensor, ...], held: tuple[Tensor, ...]) -> None:
    """Copy tensors into others: on a GPU those of each type in one launch."""
    kinds: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
    for source, target in zip(given, held, strict=True):
        sources, targets = kinds.setdefault(target.dtype, ([], []))
        sources.append(source)
        targets.append(target)
    for sources, targets in kinds.values():
        torch._foreach_copy_(targets, sources, non_blocking=True)


class Graphs:
    """Calls passes: as graphs once they were called a few times, or, without a `record`, always kernel by kernel."""

    def __init__(self, record: Capture | None) -> None:
        self.record = record
        self.calls: Counter[object] = Counter()
        self.graphs: dict[object, Graph] = {}

    def call(self, run: Pass, fixed: tuple[object, ...], *inputs: Tensor) -> tuple[Tensor, ...]:
        """run(*fixed, *inputs), fixed being what a recording holds for good."""
        if self.record is None:
            return run(*fixed, *inputs)
        key = run.__name__, fixed, tuple((x.shape, x.dtype) for x in inputs)
        self.calls[key] += 1
        if self.calls[key] <= FIRST_CALLS:
            return run(*fixed, *inputs)
        if key not in self.graphs:
            self.graphs[key] = Graph(self.record, partial(run, *fixed), inputs)
        return self.graphs[key](*inputs)
