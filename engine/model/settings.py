"""Sizes of the network, as written into every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.errors import ConfigError

HEAD_DIM = 64


@dataclass(frozen=True)
class CodecSettings:
    """Frame to latent: a convolutional autoencoder; its number of stages says how much it shrinks each side."""

    latent_channels: int = 32
    encoder_widths: list[int] = field(default_factory=lambda: [96, 160, 256])  # at strides 4, 8, ..
    encoder_depths: list[int] = field(default_factory=lambda: [2, 2, 3])
    decoder_widths: list[int] = field(default_factory=lambda: [256, 128, 64, 32])  # from the latent's stride down
    decoder_depths: list[int] = field(default_factory=lambda: [2, 2, 1, 0])  # residual blocks at each stride

    @property
    def stride(self) -> int:
        """Pixels on a side of one cell of the latent."""
        return 4 * 2 ** (len(self.encoder_widths) - 1)


@dataclass(frozen=True)
class ModelSettings:
    """The whole network's sizes; frame size and action size come from the world."""

    height: int = 192  # pixels
    width: int = 320  # pixels
    action_size: int = 8
    action_scale: list[float] = field(default_factory=list)  # divides an encoded action
    mouse_axes: int = 1  # how many of the action's last numbers are mouse motion
    fov: float = 90.0  # horizontal, degrees
    pixel_aspect: float = 1.0  # width of a pixel over its height
    codec: CodecSettings = field(default_factory=CodecSettings)
    patch: int = 2  # latent cells on a side of one token
    dim: int = 384
    layers: int = 12
    mlp_ratio: int = 4
    registers: int = 4  # tokens of a frame that stand for no place in it
    encoder_layers: int = 2
    memory_layers: int = 2
    memory_dim: int = 128  # numbers of one compact token in the memory bank
    block_frames: int = 3  # frames that the memory model compresses together
    recent_frames: int = 6  # exact frames attended to
    memory_entries: int = 12  # memory entries attended to, the sink among them
    references: int = 3  # of those, the ones whose frames are carried over into the coming view, beside the last frame
    reference_dim: int = 128  # width of the network that reads what is carried over
    sweep: bool = False  # whether older frames say how near things are (sweep.py)
    trusts_memory: bool = False  # whether what earlier frames show and tell counts before a frame just drawn
    pushes: bool = False  # whether the camera moves as keys push it, tick by tick (pushes.py); else by a perceptron
    foresees_height: bool = False  # whether the camera's rise and fall is foreseen with the rest of its motion

    def __post_init__(self) -> None:
        stride = self.codec.stride * self.patch
        if self.height % stride or self.width % stride:
            raise ConfigError(f"frame size {self.height}x{self.width} is not a multiple of {stride} pixels")
        if self.dim % HEAD_DIM:
            raise ConfigError(f"dim {self.dim} is not a multiple of the head size {HEAD_DIM}")
        if self.pushes and self.foresees_height:
            raise ConfigError("pushes foresee no height: give pushes=true or foresees_height=true, not both")
        if self.block_frames > self.recent_frames:
            raise ConfigError(f"a block of {self.block_frames} frames does not fit {self.recent_frames} recent frames")

    @property
    def heads(self) -> int:
        return self.dim // HEAD_DIM

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(rows, columns, channels) of one latent."""
        stride = self.codec.stride
        return self.height // stride, self.width // stride, self.codec.latent_channels

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of a frame's spatial tokens."""
        stride = self.codec.stride * self.patch
        return self.height // stride, self.width // stride

    @property
    def frame_tokens(self) -> int:
        """Tokens of one frame: its spatial tokens, then its registers."""
        return self.grid[0] * self.grid[1] + self.registers

    @property
    def patch_dim(self) -> int:
        """Numbers of the latent that one spatial token stands for."""
        return self.patch * self.patch * self.codec.latent_channels

    @property
    def memory_readers(self) -> list[int]:
        """Indices of the generator's layers that attend to memory entries: every second one."""
        return list(range(1, self.layers, 2))
