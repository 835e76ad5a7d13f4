"""What PyTorch's compiler makes of the parts of a step: a GPU then runs a few kernels in place of many small ones.

A compiler errs now and then (docs/log.md tells of one that did), so each part is held against what it was made of when
it is first given tensors of a shape, and what differs stays as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch._inductor import config as inductor
from torch.utils._pytree import tree_leaves

from engine.errors import EngineError
from engine.model import machine
from engine.model.network import WorldModel
from engine.model.passes import COMPILED_AT_ONCE

log = logging.getLogger(__name__)
MOST = 0.1  # by how much they may differ: rounding makes about a hundredth
MOST_CHOICES = 0.5  # the share of indices and masks that may: what is chosen among equals is up to rounding
VARIANTS = 256  # of one function: kinds of its layers, batches, with and without inference mode


class Compiled:
    """A function of tensors without gradients, compiled for each shape of them.

    rows: only where the first of them has so many rows.
    """

    def __init__(self, name: str, plain: Callable[..., Any], backend: str, rows: tuple[int, ...] = ()) -> None:
        self.name, self.plain, self.rows = name, plain, rows
        # Kernels that are chosen by how fast they happen to run would draw other frames another time.
        exact: Any = {"deterministic": True} if backend == "inductor" and hasattr(inductor, "deterministic") else None
        self.fast = torch.compile(plain, dynamic=False, backend=backend, options=exact)
        self.agrees: dict[object, bool] = {}  # by what it was given

    def __call__(self, *given: Any, **named: Any) -> Any:
        if torch.is_grad_enabled() or (self.rows and len(given[0]) not in self.rows):
            return self.plain(*given, **named)
        key = tuple(_kind(leaf) for leaf in tree_leaves((given, named)))
        if key not in self.agrees:
            self.agrees[key] = self._agree(given, named)
        return (self.fast if self.agrees[key] else self.plain)(*given, **named)

    def _agree(self, given: tuple[Any, ...], named: dict[str, Any]) -> bool:
        """Whether both make the same of it. What they write elsewhere must be the same after both as after one."""
        plain = [x.clone() for x in tensors(self.plain(*given, **named))]
        try:
            fast = tensors(self.fast(*given, **named))
        except Exception as error:  # of the compiler's many parts
            raise EngineError(
                f"PyTorch cannot compile {self.name} here ({' '.join(str(error).split())[:200]}): use compile=false"
            ) from error
        off = max(differs(one, other) for one, other in zip(fast, plain, strict=True))
        if off > 1:
            log.warning("%s stays uncompiled: what PyTorch makes of it differs %.1f times too much", self.name, off)
        return off <= 1


def compile_parts(model: WorldModel, backend: str = "inductor") -> list[Compiled]:
    """Have the compiler fuse what a step is made of, when each part is first called. Returns the parts."""
    limits = torch._dynamo.config
    limits.recompile_limit = max(limits.recompile_limit, VARIANTS)
    limits.accumulated_recompile_limit = max(limits.accumulated_recompile_limit, 4 * VARIANTS)
    machine.compilers_take_kept = True
    made = []
    for owner, name in _parts(model):
        of_entries = owner is model.generator.remembered or name == "refer"
        rows = (1, COMPILED_AT_ONCE) if of_entries else ()
        part = Compiled(f"{type(owner).__name__}.{name}", getattr(owner, name), backend, rows)
        setattr(owner, name, part)
        made.append(part)
    model.compiled = True
    return made


def _parts(model: WorldModel) -> Iterator[tuple[Any, str]]:
    """What is compiled: methods of parts of the network."""
    generator, encoder = model.generator, model.encoder
    for layer in (*generator.layers, *encoder.layers, *model.memory.layers):
        yield layer, "forward"
    yield generator, "tell"
    yield generator, "begin"
    yield generator, "finish"
    yield generator.recent, "forward"
    yield generator.remembered, "forward"
    yield generator.reproject, "pick"
    yield generator.reproject, "find"
    # Apart: a compiler would find each point anew for every pixel.
    yield generator.reproject, "find_points"
    # Apart, so that what a compiler makes wrong of one leaves the others (docs/log.md tells of all of it as one).
    yield generator.reproject, "read_views"
    yield generator.reproject, "merge"
    yield generator.reproject, "leave_with"
    yield encoder, "begin"
    yield encoder, "nearness"
    if encoder.sweep is not None:
        yield encoder.sweep, "last"
    yield model, "draw"
    yield model, "refer"
    yield model.codec, "bound"
    yield model, "ask"
    yield model, "arrive"
    yield model, "look_back"
    yield model, "tables"
    yield model, "recall"
    if model.settings.trusts_memory:
        yield model, "foretell"
        yield model, "keep_shape"


def _kind(leaf: object) -> object:
    if isinstance(leaf, Tensor):
        return leaf.shape, leaf.dtype
    return leaf if isinstance(leaf, (bool, int, str)) else type(leaf)


def tensors(made: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(made) if isinstance(leaf, Tensor)]


def differs(found: Tensor, expected: Tensor) -> float:
    """By how much two tensors of one shape differ, as a share of what they may."""
    if expected.dtype in (torch.int64, torch.bool):
        return float((found != expected).float().mean()) / MOST_CHOICES
    found, expected = (x.float().nan_to_num() for x in (found, expected))
    off = (found - expected).square().mean().sqrt() / expected.square().mean().sqrt().clamp(min=1e-3)
    return float(off) / MOST
