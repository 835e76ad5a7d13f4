"""What is compiled is held against what it was made of."""

import pytest
import torch
from torch import Tensor, nn

from engine.train import compiled
from engine.train.compiled import compile_parts, difference


class Right(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class Wrong(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> nn.Sequential:
    """Two kinds of parts; a compiler that makes something else of the second."""
    monkeypatch.setattr(compiled, "KINDS", (Wrong, Right))

    def compile_badly(part: nn.Module, **_: object) -> None:
        factor = 3 if type(part) is Wrong else 2
        part._compiled_call_impl = lambda x: factor * x

    monkeypatch.setattr(nn.Module, "compile", compile_badly)
    return nn.Sequential(Right(), Wrong())


def test_a_kind_that_comes_out_wrong_stays_uncompiled(model: nn.Sequential, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(compiled.log, "warning", lambda text, *values: said.append(text % values))
    x = torch.linspace(-1, 1, 1001)
    assert compile_parts(model, lambda: (model(x), x)) == ["Wrong"]
    right, wrong = model
    assert right._compiled_call_impl is not None and wrong._compiled_call_impl is None
    torch.testing.assert_close(model(x), 4 * x)
    assert said == ["Wrong stays uncompiled: compiled, it differs by 50 %"]


def test_others_are_compiled_as_the_first_is(model: nn.Sequential) -> None:
    x, other = torch.linspace(-1, 1, 1001), nn.Sequential(Wrong(), Right())
    compile_parts(model, lambda: (model(x), x), [other])
    assert other[0]._compiled_call_impl is None and other[1]._compiled_call_impl is not None


def test_what_agrees_is_compiled(model: nn.Sequential) -> None:
    x = torch.linspace(-1, 1, 1001)
    del model[1]
    assert compile_parts(model, lambda: (model(x), x)) == []
    assert model[0]._compiled_call_impl is not None


def test_difference_is_a_share_of_the_deviation() -> None:
    expected = torch.tensor([1.0, -1.0]) * 3
    assert difference(expected, expected) == 0
    assert difference(expected + 1, expected) == pytest.approx(1 / expected.std().item())
    assert difference(expected * torch.nan, expected) == torch.inf


def test_gradients_that_are_no_numbers_are_found(model: nn.Sequential) -> None:
    x = torch.linspace(-1, 1, 1001, requires_grad=True)

    def predict() -> tuple[torch.Tensor, torch.Tensor]:
        compiled = any(part._compiled_call_impl is not None for part in model)
        return 4 * x.detach(), x.detach() * (torch.nan if compiled else 1)

    assert compile_parts(model, predict) == ["Wrong", "Right"]
    assert all(part._compiled_call_impl is None for part in model)
