"""A small engine of the same shape as the real one, whose frames tell what was done to it."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.action import Action
from engine.errors import EngineError, SaveError, SessionError
from engine.model.recall import Recall
from engine.snapshot import Past
from engine.world import FrameSize, Key, MouseAxis, World

WORLD = World(
    name="toy",
    title="Toy",
    frame=FrameSize(height=48, width=80),
    rate=50.0,
    keys=[Key("forward", ["w", "up"]), Key("left", ["a"]), Key("use", ["e"]), Key("attack", ["mouse1", "left ctrl"])],
    mouse={"yaw": MouseAxis(limit=30.0)},
)


@dataclass(frozen=True)
class FakeStep:
    frame: np.ndarray
    latency_ms: float
    info: dict


@dataclass
class FakeEngine:
    """Turning slides its stripes sideways, walking makes them brighter; a step takes `step_s`. No memory: no red."""

    world: World = WORLD
    device: str = "cpu"
    seed: int = 0
    denoise_steps: int = 2
    checkpoint_hash: str = "cafe"
    num_starts: int = 3
    step_s: float = 0.0
    writing_s: float = 0.0  # that the disk takes for a save
    fails_at: int | None = None
    failure: Exception = field(default_factory=lambda: EngineError("the network lost its way; start again"))
    actions: list[Action] = field(default_factory=list)
    origin: int | None = 0
    done: list[np.ndarray] = field(default_factory=list)  # since the start scene
    told: np.ndarray | None = None  # the present frame, where it was told
    observed: list[tuple[np.ndarray, Action, Any]] = field(default_factory=list)  # frame, action, pose
    began: list[float] = field(default_factory=list)  # time.monotonic of each step
    loaded: list[str] = field(default_factory=list)  # names
    starts: list[int] = field(default_factory=list)
    closed: bool = False
    graphs: bool | None = None  # as it was loaded with
    compile: bool | None = None
    device_asked: str = ""
    steps_asked: int | None = None
    weighs: bool = False
    asked: list[tuple[str, int | None]] = field(default_factory=list)  # device, denoise steps: of each load

    def load(self, name="doom", device="auto", seed=0, denoise_steps=None, threads=None, graphs=True, compile=False):
        """In place of Engine.load."""
        self.graphs, self.compile, self.device_asked, self.steps_asked = graphs, compile, device, denoise_steps
        self.asked.append((device, denoise_steps))
        self.loaded.append(name)
        if name == "nowhere":
            raise EngineError("there is no world 'nowhere'")
        self.seed = seed
        return self

    def reset(self, start=0, history=None, seed=None) -> np.ndarray:
        if not 0 <= start < self.num_starts:
            raise EngineError(f"start {start}: this world has starts 0 to {self.num_starts - 1}")
        self.starts.append(start)
        self.origin, self.done = start, []
        self.seed = self.seed if seed is None else seed
        self.heading, self.place, self.count = 40.0 * start, 0, 0
        self.recall = Recall()
        self.trail = [(self.heading, self.place, self.recall)]
        return self.draw()

    def step(self, action: Action) -> FakeStep:
        began = time.monotonic()
        self.world.action_spec.validate(action)
        if self.count == self.fails_at:
            raise self.failure
        self.told = None
        self.actions.append(action)
        self.done.append(self.world.action_spec.encode(action))
        self.began.append(began)
        self.heading += action.mouse[0]
        self.place += "forward" in action.keys
        self.count += 1
        self.trail.append((self.heading, self.place, self.recall))
        time.sleep(self.step_s)
        return FakeStep(self.draw(), (time.monotonic() - began) * 1000, self.info)

    def observe(self, frame, action: Action, pose=None) -> FakeStep:
        """A step whose frame is told."""
        self.observed.append((frame, action, pose))
        step = replace(self.step(action), frame=frame)
        self.told = frame
        return step

    @property
    def info(self) -> dict:
        pose = float(self.place), 0.0, 0.0, self.heading
        return {"pose": pose, "frame_index": self.count, "memory_entries": 7, "memory_on": self.recall.on}

    def set_recall(self, recall: Recall) -> None:
        if len(recall.pinned) > 2:
            raise SessionError("at most 2 memory entries can be pinned")
        self.recall = recall
        heading, place, _ = self.trail[-1]
        self.trail[-1] = (heading, place, recall)

    @property
    def past(self) -> Past | None:
        return None if self.origin is None else Past(self.origin, tuple(self.done))

    memory_slots = 4

    def attended(self, weigh: bool = False) -> list:
        """Every second entry of seven, but those forgotten, each in a colour of its own; the later, the more weight."""
        from engine.session import Attended

        shown = [entry for entry in range(0, 7, 2) if self.recall.allows(entry)]
        pictures = [np.full((24, 40, 3), (255, 30 * entry, 0), np.uint8) for entry in range(7)]
        weights = {entry: entry / 20 if self.weighs else None for entry in shown}
        self.weighs = weigh
        return [
            Attended(entry, entry // 2, (entry, 0.0, 0.0, 0.0), entry / 8, pictures[entry], weights[entry])
            for entry in shown
        ]

    @property
    def places(self) -> np.ndarray:
        return np.array([[entry, 0.0, 0.0] for entry in range(7)], np.float32)

    def thumbnail(self, entry: int) -> np.ndarray:
        return np.zeros((24, 40, 3), np.uint8)

    def use_memory(self, on: bool) -> None:
        self.set_recall(replace(self.recall, on=on))

    def save(self, path, **notes):
        return self.prepare_save(**notes)(path)

    def prepare_save(self, **notes):
        """What writes a picture and numbers to a file of the real kind."""
        import torch

        from engine.data import savefile

        state = {"heading": self.heading, "place": self.place, "count": self.count, "seed": self.seed}
        state["recall"] = self.recall.as_json()
        meta = {"world": self.world.name, "checkpoint_hash": self.checkpoint_hash, "notes": notes, **state}
        frame = torch.from_numpy(self.draw() if self.told is None else self.told.copy())

        def write(path):
            time.sleep(self.writing_s)
            return savefile.write(path, {"frame": frame}, meta)

        return write

    def restore(self, path) -> np.ndarray:
        from engine.data import savefile

        tensors, meta = savefile.read(path)
        if meta["checkpoint_hash"] != self.checkpoint_hash:
            raise SaveError(f"{path} was made with another checkpoint")
        self.heading, self.place, self.count = meta["heading"], meta["place"], meta["count"]
        self.seed, self.recall = meta["seed"], Recall.from_json(meta["recall"])
        self.trail = [(self.heading, self.place, self.recall)]
        self.origin = None
        return tensors["frame"].numpy()

    @property
    def rewindable_frames(self) -> int:
        return len(self.trail) - 1

    def rewind(self, *, frames: int) -> np.ndarray:
        assert 0 <= frames <= self.rewindable_frames
        del self.trail[len(self.trail) - frames :]
        self.heading, self.place, self.recall = self.trail[-1]
        self.count -= frames
        del self.done[len(self.done) - frames :]
        return self.draw()

    def draw(self) -> np.ndarray:
        height, width, _ = self.world.frame_shape
        across = (np.arange(width)[None, :, None] + self.heading) % 40 < 20
        down = np.linspace(0.4, 1, height)[:, None, None]
        colour = np.array([200.0, 120.0, 60.0]) * (0.4 + 0.6 * np.sin(self.place / 20) ** 2)
        lit = [self.recall.on, True, True]
        return (np.where(across, down * colour, down * 30) * lit).astype(np.uint8)

    def close(self) -> None:
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
