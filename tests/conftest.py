"""The toy world as if it were shipped: its definition, two starts, and a checkpoint of a small random network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine import checkpoint, core
from engine import world as worlds
from engine.core import Engine
from engine.data import starts
from engine.model.network import WorldModel
from engine.model.settings import CodecSettings, ModelSettings
from tests.toy import HERE, play

TOY = ModelSettings(
    height=64, width=96, action_size=3, action_scale=[1.0, 1.0, 30.0], mouse_axes=1, dim=64, layers=2, encoder_layers=1,
    memory_layers=1, memory_dim=32, memory_entries=4, recent_frames=4, registers=2, reference_dim=16,
    sweep=True, foresees_height=True, trusts_memory=True,
    codec=CodecSettings(8, [16, 16, 16], [1, 1, 1], [16, 16, 16, 16], [1, 0, 0, 0]),
)  # fmt: skip


def random_model(seed: int = 0, settings: ModelSettings = TOY) -> WorldModel:
    """A toy network in which nothing is zero, so that every input reaches the frame."""
    torch.manual_seed(seed)
    model = WorldModel(settings)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            # Convolutions over what a frame was decoded to would make more of rounding with each frame.
            tensor.normal_(0.0, 0.05 if name.startswith(("generator.reproject.", "encoder.sweep.")) else 0.15)
    return model.eval()


@pytest.fixture(scope="session")
def toy_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with checkpoints/toy and assets/toy/starts."""
    root = tmp_path_factory.mktemp("toy")
    checkpoint.save(root / "checkpoints" / "toy", random_model(), "toy", {}, weights="float32")
    for seed in range(2):
        frames, actions, poses = play(seed, 7)
        start = starts.Start(frames, actions, poses, f"{seed:02d}")
        starts.write_start(root / "assets" / "toy" / "starts" / f"{seed:02d}", start, {})
    return root


@pytest.fixture
def toy(toy_files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Has `Engine.load("toy")` work; the folder of its checkpoint."""
    monkeypatch.setattr(worlds, "WORLDS", HERE.parent)
    monkeypatch.setattr(checkpoint, "CHECKPOINTS", toy_files / "checkpoints")
    monkeypatch.setattr(starts, "ASSETS", toy_files / "assets")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # products this small only wait for one another
    yield toy_files / "checkpoints" / "toy"
    torch.set_num_threads(threads)


@pytest.fixture
def exact_engine(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The toy in float64 on any machine: a random network in bfloat16 makes much of rounding."""
    monkeypatch.setattr(core, "number_type", lambda device: torch.float64)
    with Engine.load("toy", device="cpu") as engine:
        yield engine


@pytest.fixture(scope="session")
def loaded(toy_files: Path) -> Iterator[dict[str, Engine]]:
    """The toy once a test had it loaded, for those that come after; none may change its network."""
    held: dict[str, Engine] = {}
    yield held
    for engine in held.values():
        weights = checkpoint.load(toy_files / "checkpoints" / "toy")[0].state_dict()
        left = engine.model.state_dict()
        assert all(torch.equal(left[name], tensor.to(left[name])) for name, tensor in weights.items())


@pytest.fixture
def toy_engine(toy: Path, loaded: dict[str, Engine]) -> Iterator[Engine]:
    if "toy" not in loaded:
        loaded["toy"] = Engine.load("toy", device="cpu")
    with loaded["toy"].share() as engine:  # which is as good as new: what it leaves to others goes as it is closed
        yield engine


@pytest.fixture
def walked(toy_engine: Engine) -> Engine:
    """The toy engine after 11 steps from its first start."""
    from tests.test_core import frames_of

    toy_engine.reset(0, seed=5)
    frames_of(toy_engine, 11)
    return toy_engine
