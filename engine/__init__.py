"""An interactive world-model game engine: a neural network draws every frame.

Importing it pulls in no torch; the network is imported when `Engine` is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.action import Action, ActionSpec
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.core import Engine, Step

__all__ = ["Action", "ActionSpec", "Engine", "EngineError", "Step"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in ("Engine", "Step"):
        from engine import core

        return getattr(core, name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
