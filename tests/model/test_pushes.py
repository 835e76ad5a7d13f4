"""A camera that is pushed tick by tick is foreseen where it comes to be."""

from __future__ import annotations

import math

import pytest
import torch

from engine.errors import ConfigError
from engine.model.generator import Generator
from engine.model.pushes import Pushes
from engine.model.settings import CodecSettings, ModelSettings

SETTINGS = ModelSettings(
    height=64, width=96, codec=CodecSettings(8, [8, 8], [1, 1], [8, 8], [1, 1]), patch=2, dim=64, action_size=4,
    pushes=True,
)  # fmt: skip # three keys and a mouse
LEFT = 0.9  # of its speed after each of a frame's two ticks


def frame(speed: complex, heading: float, keys: list[float], yaw: float) -> tuple[complex, complex, float]:
    """Two ticks of a game: how far it goes, how fast it then is, and where it looks. Right is clockwise: i is right."""
    way = 0j
    for _ in range(2):
        heading += yaw / 2
        speed += (keys[0] + 1j * keys[1]) * (1 + keys[2]) * complex(math.cos(heading), math.sin(heading))
        way, speed = way + speed, speed * LEFT
    return way, speed, heading


def walked(count: int, seed: int) -> tuple[torch.Tensor, ...]:
    """Of frames after the first: motion as it looked back, actions before and at it, its yaw, and how far it went."""
    random = torch.Generator().manual_seed(seed)
    speed, heading, rows = 0j, 0.3, []
    last: tuple[complex, list[float]] | None = None
    for _ in range(count + 1):
        keys = (torch.rand(3, generator=random) < 0.5).float().tolist()
        yaw = float(torch.rand((), generator=random) - 0.5) * 0.4
        before = heading
        way, speed, heading = frame(speed, heading, keys, yaw)
        if last is not None:
            seen = last[0] * complex(math.cos(before), -math.sin(before))
            asked = way * complex(math.cos(heading), -math.sin(heading))
            moved = [seen.real, seen.imag, 0, 0], [*last[1], 0.0], [*keys, yaw]
            rows.append((*moved, math.degrees(yaw), [asked.real, asked.imag]))
        last = way, keys
    return tuple(torch.tensor(column) for column in zip(*rows, strict=True))


def test_a_game_of_ticks_is_learnt_exactly() -> None:
    torch.manual_seed(0)
    pushes = Pushes(SETTINGS)
    motion, before, action, yaw, went = walked(400, 0)
    least = torch.optim.LBFGS(
        pushes.parameters(), max_iter=200, tolerance_grad=1e-10, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def error() -> torch.Tensor:
        least.zero_grad()
        off = (pushes(motion, before, action, yaw)[:, :2] - went).square().mean()
        off.backward()
        return off

    least.step(error)
    motion, before, action, yaw, went = walked(100, 1)
    found = pushes(motion, before, action, yaw)
    torch.testing.assert_close(found[:, :2], went, rtol=0, atol=0.01)
    assert went.abs().max() > 5 and found.shape == motion.shape and not found[:, 2:].any()
    torch.testing.assert_close(pushes.kept.weight, torch.eye(2) * LEFT**2, rtol=0, atol=0.01)
    assert pushes.to(torch.bfloat16).kept.weight.dtype == torch.float32


def test_a_network_has_it_where_its_settings_say_so() -> None:
    assert isinstance(Generator(SETTINGS).momentum, Pushes)
    with pytest.raises(ConfigError, match="not both"):
        ModelSettings(pushes=True, foresees_height=True)
