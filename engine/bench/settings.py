"""Settings of the benches: what to measure, on what, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BENCHES = (
    "codec", "next_frame", "revisit", "pose", "state", "drift", "memory", "actions", "latency", "stages", "growth",
    "throughput", "replay",
)  # fmt: skip


@dataclass(frozen=True)
class CodecBench:
    frames: int = 1000  # held-out frames
    episodes: int = 20  # that they come from


@dataclass(frozen=True)
class NextFrameBench:
    sequences: int = 16
    frames: int = 32  # scored of each sequence
    history: int = 64  # true frames before the first
    steps: list[int] = field(default_factory=lambda: [1, 2, 4])  # denoise steps


@dataclass(frozen=True)
class RevisitBench:
    gaps: list[int] = field(default_factory=lambda: [64])  # frames away: 16, 64, 256, 1024, 4096
    sequences: int = 8  # per gap
    frames: int = 32  # of own rollout after the return
    tour: str = "revisit"  # back over the same poses; loop: by another door
    full_up_to: int = 1024  # longest gap at which the full history is attended to as well
    own_memory: bool = True  # also generate the time away
    sheet: int = 4  # sequences shown in the contact sheet


@dataclass(frozen=True)
class PoseBench:
    steps: int = 1000  # reckoned
    marks: list[int] = field(default_factory=lambda: [10, 100, 1000])  # steps shown in the table
    history: int = 64  # frames whose poses are told
    sequences: int = 4  # of both parts
    gap: int = 64  # frames away before the return
    frames: int = 32  # of the return
    units: list[int] = field(default_factory=lambda: [8, 16, 32, 64])  # by which the pose is wrong
    degrees: list[int] = field(default_factory=lambda: [2, 5, 10])  # the same, of the heading


@dataclass(frozen=True)
class StateBench:
    deeds: list[str] = field(default_factory=lambda: ["door", "item", "monster"])  # what the player changes
    gap: int = 64  # frames away before the return
    sequences: int = 8  # per deed
    frames: int = 32  # of the return
    sheet: int = 4  # sequences of each deed shown in the contact sheet


@dataclass(frozen=True)
class DriftBench:
    player: str = "keys"  # keys: as they were held in the real game; wanderer: goes by where the model says it is
    seconds: int = 60
    sequences: int = 2
    history: int = 64  # true frames before
    score_every: int = 1  # frames: one in so many is decoded, scored and held against the real one
    sheet_every: int = 4  # seconds from one picture of the contact sheet to the next


@dataclass(frozen=True)
class MemoryBench:
    blocks: int = 256


@dataclass(frozen=True)
class ActionsBench:
    train_frames: int = 24000  # of real footage for the probe
    train_steps: int = 2000
    sequences: int = 12
    frames: int = 32  # of own rollout each


@dataclass(frozen=True)
class LatencyBench:
    frames: int = 500  # timed
    history: int = 500  # frames before
    steps: list[int] = field(default_factory=lambda: [1, 2, 4])  # denoise steps


@dataclass(frozen=True)
class GrowthBench:
    lengths: list[int] = field(default_factory=lambda: [100, 1000, 10000])  # frames of history
    frames: int = 64  # timed at each length


@dataclass(frozen=True)
class ThroughputBench:
    batches: list[int] = field(default_factory=lambda: [1, 2, 4, 8])  # sessions at once
    frames: int = 32  # timed of each session


@dataclass(frozen=True)
class ReplayBench:
    frames: int = 64


@dataclass(frozen=True)
class BenchSettings:
    """Settings of one run of `python -m engine.bench`."""

    bench: str = ",".join(BENCHES)  # which benches, with commas between
    checkpoint: str = "doom"  # a world's name or a checkpoint's folder
    device: str = "auto"  # auto, cpu or cuda
    seed: int = 0
    denoise_steps: int = 0  # where a bench does not vary them; 0: the checkpoint's own
    threads: int = 0  # of the CPU; 0: all
    compile: bool = False  # on a GPU, have PyTorch's compiler fuse the work of a step
    batch: int = 4  # sequences at once
    flip: bool = True  # score FLIP as well, where flip-evaluator is installed
    footage: Path = ROOT / "footage" / "bench"  # held-out footage; what is missing is recorded
    flavour: str = "static"  # of the maps
    wad: str = ""  # measure on these hand-made maps: a WAD file, or freedoom2; none: generated maps
    map: str = ""  # of the WAD, or several with commas between; none: all of them, one after the other
    workers: int = 0  # processes that record footage; 0: one per core
    out: Path = ROOT / "docs" / "bench.json"
    media: Path = ROOT / "docs" / "media"  # contact sheets
    suffix: str = ""  # added to the names of tables and sheets, as "-gpu"
    codec: CodecBench = field(default_factory=CodecBench)
    next_frame: NextFrameBench = field(default_factory=NextFrameBench)
    revisit: RevisitBench = field(default_factory=RevisitBench)
    pose: PoseBench = field(default_factory=PoseBench)
    state: StateBench = field(default_factory=StateBench)
    drift: DriftBench = field(default_factory=DriftBench)
    memory: MemoryBench = field(default_factory=MemoryBench)
    actions: ActionsBench = field(default_factory=ActionsBench)
    latency: LatencyBench = field(default_factory=LatencyBench)
    growth: GrowthBench = field(default_factory=GrowthBench)
    throughput: ThroughputBench = field(default_factory=ThroughputBench)
    replay: ReplayBench = field(default_factory=ReplayBench)

    @property
    def maps(self) -> str:
        """A name for the hand-made maps; empty for generated ones."""
        parts = [Path(self.wad).stem] if self.wad else []
        parts += self.map.lower().split(",") if self.map else []
        return "-".join(part.strip() for part in parts)

    @property
    def label(self) -> str:
        """What the names of tables, figures and sheets end in."""
        return (f"-{self.maps}" if self.maps else "") + self.suffix
