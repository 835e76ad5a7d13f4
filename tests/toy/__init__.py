"""The toy game: its frames are known exactly, so that tests can train on them and judge by equality."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine import world as worlds
from engine.data.episode import write_episode
from engine.data.recording import Recorder

HERE = Path(__file__).parent
TINY = [
    "model.dim=64", "model.layers=2", "model.encoder_layers=1", "model.memory_layers=1", "model.memory_dim=32",
    "model.memory_entries=4", "model.recent_frames=4", "model.registers=2", "model.codec.latent_channels=8",
    "model.codec.encoder_widths=[16,16,16]", "model.codec.decoder_widths=[16,16,16,16]",
    "model.codec.encoder_depths=[1,1,1]", "model.codec.decoder_depths=[1,0,0,0]",
    "model.sweep=true", "model.foresees_height=true", "model.trusts_memory=true",
]  # fmt: skip


def play(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An episode: frames uint8 [n, 64, 96, 3], actions [n, 3], poses [n, 4] (x, y, z, angle in degrees)."""
    random = np.random.default_rng(seed)
    panorama = np.repeat(random.integers(0, 256, (1, 24, 3), dtype=np.uint8), 16, axis=1)
    panorama = np.repeat(panorama, 64, axis=0)
    panorama[32:] //= 2
    actions = np.zeros((frames, 3), dtype=np.float32)
    actions[1:, :2] = random.random((frames - 1, 2)) < 0.3
    actions[1:, 2] = random.integers(-15, 16, frames - 1)
    headings = actions[:, 2].cumsum()
    poses = np.zeros((frames, 4), dtype=np.float32)
    poses[:, 3] = -headings
    width = panorama.shape[1]
    columns = np.arange(96) - 48
    pixels = np.stack([panorama[:, (columns + round(h / 360 * width)) % width] for h in headings])
    lit = (pixels // 2 + 100 * actions[:, 1, None, None, None]).astype(np.uint8)
    return lit, actions, poses


def write_footage(root: Path, episodes: int, frames: int) -> Path:
    """Record `episodes` of the toy game below `root`."""
    for seed in range(episodes):
        pixels, actions, poses = play(seed, frames)
        write_episode(root / f"{seed:03d}", pixels, actions, poses, {"world": "toy", "seed": seed})
    return root


def record_play(path: Path, seed: int, frames: int, world: worlds.World | None = None) -> Path:
    """A recording of an episode of the toy game, as the window makes them; `world`: as if it were of that one."""
    world = world or worlds.load(HERE)
    recorder = Recorder(path, world, seed=seed, start=0, checkpoint_hash="toy")
    for frame, action, pose in zip(*play(seed, frames), strict=True):
        recorder.add(frame, action[: world.action_spec.size], pose=pose)
    recorder.close()
    return path
