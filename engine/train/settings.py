"""Settings of a training, from a world's train.yaml and the command line."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.model.settings import CodecSettings

STAGES = ("codec", "latents", "motion", "generator", "memory", "leap", "stream", "ship")
WHOLE = ("codec", "latents", "motion", "generator", "stream", "ship")  # what stage=all runs, in this order


@dataclass(frozen=True)
class ModelSizes:
    """Sizes of a new network; what the world gives (frame size, actions) is added to them."""

    codec: CodecSettings = field(default_factory=CodecSettings)
    patch: int = 2
    dim: int = 384
    layers: int = 12
    registers: int = 4
    encoder_layers: int = 2
    memory_layers: int = 2
    memory_dim: int = 128
    recent_frames: int = 6
    memory_entries: int = 12
    references: int = 3
    reference_dim: int = 128
    sweep: bool = False
    trusts_memory: bool = False
    pushes: bool = False
    foresees_height: bool = False


@dataclass(frozen=True)
class Schedule:
    """How long a stage trains and how fast. It ends at `steps` or after `minutes`, whichever comes first."""

    steps: int = 1000
    minutes: float = 1e9
    batch: int = 8  # per GPU: frames (codec) or chunks (generator)
    rate: float = 1e-3  # learning rate of AdamW
    matrix_rate: float = 2e-3  # learning rate of Muon, which trains the matrices
    warmup: int = 100  # steps
    decay: float = 0.4  # last share of the training over which the rates fall to zero
    ema: float = 0.999


@dataclass(frozen=True)
class CodecStage:
    schedule: Schedule = field(default_factory=Schedule)
    noise: float = 0.05  # standard deviation added to the cells that the decoder sees
    absolute: float = 0.2  # weight of the absolute error beside the squared one
    frames: int = 100_000  # frames of footage held for training


@dataclass(frozen=True)
class MotionStage:
    schedule: Schedule = field(
        default_factory=lambda: Schedule(steps=12_000, batch=1024, rate=3e-3, warmup=1, decay=0.67)
    )


@dataclass(frozen=True)
class GeneratorStage:
    schedule: Schedule = field(default_factory=Schedule)
    frames: int = 12  # predicted frames of one chunk
    # Parts of the network, or parts of these, as encoder.sweep; what the motion stage trains is never among them.
    train: list[str] = field(default_factory=lambda: ["encoder", "memory", "generator"])
    rebuild: float = 0.3  # weight of rebuilding a block from its entry alone
    predict: float = 1.0  # weight of predicting the frames of the chunk
    motion: float = 0.1  # weight of reading the camera's motion off what is drawn
    reference: float = 0.3  # weight of what earlier frames show of the coming one
    nearness: float = 0.1  # weight of telling how near each cell is
    blind: float = 0.1  # share of chunks whose references lack the last frame, and of those that lack memory's
    alone: float = 0.0  # share of chunks drawn without anything that came before; with a teacher, judged so by it
    pure: float = 0.15  # share of targets that start from pure noise
    context_noise: float = 0.2  # largest standard deviation added to clean frames shown
    picture_noise: float = 0.3  # the same for frames carried over as pictures: 32 dB from what they are
    no_memory: float = 0.1  # share of chunks without memory
    plain: float = 0.1  # share of chunks whose entries are exact frames in place of the memory model's
    old_only: float = 0.35  # share of chunks that may only remember what is older than a random gap
    own_frames: float = 0.0  # share of steps whose clean frames are the model's own rollout
    own_from: float = 0.0  # share of the schedule after which they come in
    own_steps: int = 2  # most denoise steps of that rollout; with a teacher, a step learns to be any of them
    substeps: int = 3  # of the teacher's, to the end of which one of own_steps leaps (stage=leap)
    robust: float = 0.0  # squared error of a cell beyond which, after own frames, more error counts ever less; 0: never
    still: float = 0.0  # share of frames at the highest level that start from no noise: those are to be means
    adversarial: float = 0.0  # pull of the critic's judgement on frames made from pure noise, against the error's
    critic_rate: float = 2e-4  # learning rate of the critic
    critic_lead: float = 0.05  # share of the schedule over which its pull grows to that
    distil: float = 0.0  # weight of matching the teacher's distribution, on frames made from pure noise
    truth: float = 1.0  # weight that the error against the true frame keeps on those
    truth_known: float = 0.0  # the same in cells that memory's views show as they truly are; not less than `truth`
    imitator_rate: float = 2e-4  # learning rate of the imitator's AdamW; Muon's is twice that
    imitator_turns: int = 1  # steps of the imitator for one of the generator
    review_steps: int = 1  # denoise steps of the long rollouts that it is judged by; a teacher's are many
    review_chunks: int = 32  # held-out chunks that it is judged on
    stream_frames: int = 48  # longest stretch that the model rolls out on its own
    roam: float = 0.0  # share of those, with a teacher, whose cameras go where what was drawn lets them (streams.py)


@dataclass(frozen=True)
class TrainSettings:
    """python -m engine.train worlds/doom/train.yaml stage=codec footage=DIR out=DIR"""

    world: str = "doom"
    stage: str = "codec"
    footage: str = "footage"  # folder of episodes
    validation: str = ""  # folder of held-out episodes
    latents: str = ""  # folder of encoded footage; out/latents by default
    out: str = "runs/train"
    init: str = ""  # checkpoint folder to start from; by default the one in `out`, if there is one
    teacher: str = ""  # checkpoint folder of the network to distil; by default `init`, or what `out` held at first
    imitator: str = ""  # checkpoint folder of the network that imitates the student; a copy of the teacher by default
    codec_from: str = ""  # checkpoint folder whose codec a new network takes over, instead of training one
    device: str = "auto"
    seed: int = 0
    compile: bool = True
    log_every: int = 50  # steps
    save_minutes: float = 2.0
    sheet_every: int = 2000  # steps between evaluations with a contact sheet
    resume: bool = True  # go on from out/<stage>.state if it is there
    profile_steps: int = 0  # steps, after the first ten, whose time by kernel goes to out/<stage>_profile.txt
    ship: str = ""  # folder for the checkpoint of stage=ship; out/shipped by default
    ship_with: str = ""  # checkpoint folder of a network to ship the mean with
    ship_share: float = 0.5  # of its weights in that mean
    denoise_steps: int = 1  # with which the shipped checkpoint is played by default
    denoise_steps_cuda: int = 0  # the same on a GPU; 0: as many
    model: ModelSizes = field(default_factory=ModelSizes)
    codec: CodecStage = field(default_factory=CodecStage)
    motion: MotionStage = field(default_factory=MotionStage)
    generator: GeneratorStage = field(default_factory=GeneratorStage)
    memory: GeneratorStage = field(
        default_factory=lambda: GeneratorStage(
            train=["memory"],
            predict=0.0,
            rebuild=1.0,
            motion=0.0,
            reference=0.0,
            nearness=0.0,
            plain=0.0,
            no_memory=0.0,
            old_only=0.0,
        )
    )
    leap: GeneratorStage = field(
        default_factory=lambda: GeneratorStage(train=["encoder", "generator"], own_frames=0.6, own_steps=4)
    )
    stream: GeneratorStage = field(
        default_factory=lambda: GeneratorStage(train=["encoder", "generator"], rebuild=0.0, own_frames=0.6)
    )
