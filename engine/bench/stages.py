"""Stages bench: where does a step's time go, and how far is each stage from what the machine's ceilings allow?"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from engine.bench.latency import WARM_UP, times
from engine.bench.report import Found, table
from engine.bench.subject import Subject

CEILING_SIDE = {"cpu": 1024, "cuda": 8192}  # of the square product that says how fast the machine multiplies
CEILING_BYTES = {"cpu": 64 << 20, "cuda": 1 << 30}  # copied to say how fast it moves memory: beyond any cache
TRIES = 20
# What packed.py calls: matrices and kernels that were laid out before. int8 is held against bfloat16's ceiling.
PACKED = "mkldnn::_linear_pointwise", "onednn::qlinear_pointwise", "onednn::qconv_pointwise"
# The passes of a step (engine/model/passes.py), as a reader knows them.
STAGES = {
    "look": "where the camera will be",
    "choose": "memory: choose entries",
    "show": "memory: show those that changed",
    "imagine": "references and denoise",
    "decode": "decode",
    "commit": "commit",
    "memorise": "commit, and write memory",
}


class Tally(TorchDispatchMode):
    """Operations and bytes (read and written) of the products and convolutions in it; the rest is small beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.flops, self.bytes = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._overloadpacket not in flop_registry:
            with self:  # in inference mode matmul and conv2d come whole
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        out = func(*args, **kwargs)
        if func.name().startswith(PACKED):
            read, rows = args[0], out.shape[1 if "conv" in func.name() else -1]
            weight = args[3].numel() if func.name().startswith("onednn") else rows * read.shape[-1]
            self.flops += 2 * weight * out.numel() // rows
            self.bytes += read.nbytes + weight * read.element_size() + out.nbytes
        elif func._overloadpacket in flop_registry:
            self.flops += flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
            made = out if isinstance(out, tuple) else (out,)
            self.bytes += sum(tensor.nbytes for tensor in (*args, *made) if isinstance(tensor, Tensor))
        return out


def measure(subject: Subject) -> Found:
    """Operations, bytes, floor and median time of each stage, per frame, after a history of own frames."""
    settings, warm_up = subject.settings.latency, WARM_UP[subject.model.device.type]
    counted, milliseconds = defaultdict(list), defaultdict(list)
    apart = Subject(subject.engine.share(), subject.settings)
    apart.engine.graphs = False  # a recorded pass runs no operators that could be counted
    _begin(apart, settings.history)
    with _watched(apart, lambda name, call: _count(counted[name], call)):
        counted_steps = len(times(apart, settings.frames)) + warm_up
    _begin(subject, settings.history)
    whole = float(np.median(times(subject, settings.frames)))
    with _watched(subject, lambda name, call: _time(subject, milliseconds[name], call)):
        steps = len(times(subject, settings.frames)) + warm_up
    rate, bandwidth = _ceilings(subject)
    rows, figures, rest, floors = [], {}, whole, 0.0
    for key, name in STAGES.items():
        if key not in milliseconds or key not in counted:
            continue
        flops, moved = (sum(column) / counted_steps for column in zip(*counted[key], strict=True))
        floor = max(flops / rate, moved / bandwidth) * 1e3
        took = float(np.median(milliseconds[key])) * len(milliseconds[key]) / steps
        rest, floors = rest - took, floors + floor
        rows.append([name, flops / 1e9, moved / 1e6, floor, took, took / floor if floor else None])
        figures[key] = {"flops": flops, "bytes": moved, "floor_ms": floor, "ms": took}
    rows.append(["the host, and what overlaps", None, None, None, rest, None])
    total = {part: sum(row[part] for row in figures.values()) for part in ("flops", "bytes")}
    rows.append(["a step", total["flops"] / 1e9, total["bytes"] / 1e6, floors, whole, whole / floors])
    figures["step"] = {**total, "floor_ms": floors, "ms": whole}
    columns = ["stage, per frame", "GFLOP", "MB", "floor, ms", "measured, ms", "ratio"]
    note = (
        f"Medians of {settings.frames} steps after {settings.history}, with {subject.engine.denoise_steps} denoise "
        f"steps, of one session; each stage was waited for, and is shared out over all frames. Ceilings: "
        f"{rate / 1e9:.0f} GFLOP/s in {str(subject.model.dtype).removeprefix('torch.')}, {bandwidth / 1e9:.0f} GB/s."
    )
    return Found({"stages": table(columns, rows, note)}, figures | {"flops_per_s": rate, "bytes_per_s": bandwidth})


def _begin(subject: Subject, history: int) -> None:
    frame = subject.world.frame
    subject.engine.reset(0 if subject.engine.num_starts else np.zeros((frame.height, frame.width, 3), np.uint8))
    times(subject, history)


@contextmanager
def _watched(subject: Subject, watch: Callable[[str, Callable[[], Any]], Any]) -> Iterator[None]:
    """Have `watch` carry out each stage of the steps within, told its name."""
    assert subject.engine.session is not None
    passes = subject.engine.session.rollout.passes
    names = [name for name in STAGES if name != "memorise"]

    def wrap(name: str, stage: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any) -> Any:
            finishes = name == "commit" and args[1]
            return watch("memorise" if finishes else name, lambda: stage(*args))

        return watched

    for name in names:
        setattr(passes, name, wrap(name, getattr(passes, name)))
    try:
        yield
    finally:
        for name in names:
            delattr(passes, name)


def _count(found: list[tuple[int, int]], call: Callable[[], Any]) -> Any:
    with Tally() as tally:
        result = call()
    found.append((tally.flops, tally.bytes))
    return result


def _time(subject: Subject, found: list[float], call: Callable[[], Any]) -> Any:
    begun = subject.now()
    result = call()
    found.append((subject.now() - begun) * 1e3)
    return result


@torch.inference_mode()
def _ceilings(subject: Subject) -> tuple[float, float]:
    """Operations a second of a large product in the network's type, and bytes a second read and written by a copy."""
    device = subject.model.device
    side = CEILING_SIDE[device.type]
    square = torch.randn(side, side, device=device).to(subject.model.dtype)
    source = torch.zeros(CEILING_BYTES[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def best(call: Callable[[], Any]) -> float:
        found = []
        for _ in range(TRIES):
            begun = time.perf_counter()
            call()
            subject.now()
            found.append(time.perf_counter() - begun)
        return min(found)

    return 2 * side**3 / best(lambda: square @ square), 2 * len(source) / best(lambda: target.copy_(source))
