"""Compiled parts make what they were made of, serve a rollout, and stay as they were where a compiler errs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch._dynamo.backends.debugging import aot_eager
from torch._dynamo.utils import counters

from engine.core import Engine
from engine.errors import ConfigError, EngineError
from engine.model import machine, rope
from engine.model.banks import CANDIDATES, NEWEST, Banks
from engine.model.compiled import Compiled, compile_parts, differs
from engine.model.network import WorldModel
from engine.model.rollout import Rollout
from tests.conftest import TOY, random_model


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rope, "_by_matrices", lambda device: False)  # as on a GPU
    monkeypatch.setattr(machine, "compilers_take_kept", False)  # put back as it was
    with torch._dynamo.config.patch(recompile_limit=8, accumulated_recompile_limit=256):  # put back as well
        yield


def recordable(graph: torch.fx.GraphModule, inputs: Any) -> Any:
    """The compiler that calls operators one by one (Inductor would take minutes), of graphs that a GPU can record."""
    called = {node.target for node in graph.graph.nodes}
    assert not called & {torch.tensor, torch.as_tensor, "item", "tolist", "cpu"}, "numbers of the host, or for it"
    return aot_eager(graph, inputs)


@torch.inference_mode()
def walk(model: WorldModel, steps: int = 3) -> list[torch.Tensor]:
    """Latents and poses after three true frames."""
    random = torch.Generator().manual_seed(1)
    rollout, made = Rollout(model, 1, [1.0, 0.5, 0.0], [0]), []
    latents = torch.randn(1, 3, *TOY.latent_shape, generator=random)
    rollout.start(latents, torch.zeros(1, 3, 3), torch.zeros(1, 3, 4))
    for index in range(steps):
        action = torch.randn(1, 3, generator=random) * torch.tensor([1.0, 1.0, 20.0])
        rollout.passes.weighs = index == 1
        latent, pose = rollout.propose(action)
        frame = rollout.decode(latent)
        rollout.observe(latent, action, pose)
        made.append(torch.cat([latent.flatten(), pose.flatten(), frame.flatten()]).double())
    return made


def test_a_compiled_rollout_is_the_plain_one_but_for_rounding(serving: None) -> None:
    plain, model = walk(random_model().double()), random_model().double()
    names = set(model.state_dict())
    parts = compile_parts(model, recordable)  # type: ignore[arg-type]
    counters.clear()
    once = walk(model)
    assert not counters["graph_break"] and set(model.state_dict()) == names
    assert all(part.agrees and all(part.agrees.values()) for part in parts), "each was used, and none erred"
    for made, expected in zip(once, plain, strict=True):
        torch.testing.assert_close(made, expected, rtol=1e-3, atol=1e-3 * len(plain))
    frames = counters["stats"]["unique_graphs"]
    again = walk(model)
    assert all(torch.equal(one, other) for one, other in zip(once, again, strict=True))
    assert counters["stats"]["unique_graphs"] == frames, "nothing is compiled twice"
    assert Rollout(model, 1, [1.0, 0.0], [0]).banks.one_shape


def backend(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """A compiler that changes what comes out."""
    return lambda graph, inputs: lambda *given: change(graph(*given))


@torch.no_grad()
def test_what_a_compiler_makes_wrong_stays_plain(caplog: pytest.LogCaptureFixture) -> None:
    def twice(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    wrong = Compiled("twice", twice, backend(lambda made: (made[0] * 1.5,)))  # type: ignore[arg-type]
    right = Compiled("twice", twice, backend(lambda made: (made[0] * 1.01,)))  # type: ignore[arg-type]
    for size in (2, 3):
        x = torch.ones(size)
        with caplog.at_level(logging.WARNING):
            assert wrong(x).tolist() == wrong(x).tolist() == [2.0] * size
        assert right(x).tolist() == pytest.approx([2.02] * size)
    assert caplog.text.count("twice stays uncompiled") == 2 and len(wrong.agrees) == 2
    with torch.enable_grad():
        assert right(torch.ones(1)).tolist() == [2.0], "with gradients nothing is compiled"
    singly = Compiled("twice", twice, backend(lambda made: (made[0] * 1.01,)), rows=(1,))  # type: ignore[arg-type]
    assert singly(torch.ones(2)).tolist() == [2.0, 2.0] and singly(torch.ones(1)).item() == pytest.approx(2.02)


@torch.no_grad()
def test_a_compiler_that_fails_is_named_in_one_sentence() -> None:
    def failing(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no C++ compiler\nis there")

    with pytest.raises(EngineError, match="cannot compile once here .*no C.. compiler is there.*: use compile=false$"):
        Compiled("once", lambda x: x + 1, failing)(torch.ones(2))  # type: ignore[arg-type]


def test_compiling_is_for_a_gpu(toy: object) -> None:
    with pytest.raises(ConfigError, match="compile=true is for a GPU, and gains nothing on cpu"):
        Engine.load("toy", device="cpu", compile=True)


def test_what_counts_as_different() -> None:
    ones = torch.ones(10)
    assert differs(ones, ones) == 0 and differs(ones + 0.05, ones) == pytest.approx(0.5)
    assert differs(ones * float("nan"), ones) > 1 and differs(torch.zeros(10), ones) > 1
    bytes_ = torch.full((10,), 100, dtype=torch.uint8)
    assert differs(bytes_ + 1, bytes_) == pytest.approx(0.1) and differs(bytes_ // 2, bytes_) > 1
    whole = torch.arange(10)
    assert differs(whole, whole) == 0 and differs(whole.clamp(max=6), whole) == pytest.approx(0.6)


def test_candidates_have_one_number_of_places() -> None:
    gpu = torch.device("cuda")
    banks = Banks(TOY, torch.device("cpu"), 1, one_shape=True)
    banks.device = gpu
    assert {banks._places(count) for count in (1, 40, CANDIDATES, CANDIDATES + NEWEST)} == {CANDIDATES + NEWEST}
