"""The whole network of one world: codec, frame encoder, memory model and generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.model import pose as poses
from engine.model.banks import read_told
from engine.model.codec import Codec, to_bytes
from engine.model.generator import FrameEncoder, Generator
from engine.model.ground import level
from engine.model.machine import constant
from engine.model.memory import MemoryModel
from engine.model.memory_bank import choose
from engine.model.reprojection import Found, Shown
from engine.model.rope import Place, find_tables, place_tokens
from engine.model.settings import ModelSettings
from engine.model.shape import foretell, keep_shape
from engine.model.walls import Body, stop


class WorldModel(nn.Module):
    """Everything that a checkpoint holds. All latents are [B, F, rows, columns, channels]."""

    action_scale: Tensor

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.codec = Codec(settings.codec)
        self.encoder = FrameEncoder(settings)
        self.memory = MemoryModel(settings)
        self.generator = Generator(settings)
        scale = settings.action_scale or [1.0] * settings.action_size
        self.register_buffer("action_scale", torch.tensor(scale), persistent=False)
        self.still: dict[tuple[torch.device, torch.dtype], Place] = {}  # of a frame at rest, in each type of number
        self.body: tuple[float, float, float, float] | None = None  # a walls.Body's, if walls stop what is played
        self.falls: tuple[float, float, float] | None = None  # a falls.Falls', if what is played falls and climbs
        self.compiled = False  # whether PyTorch's compiler makes its parts (see compiled.py)
        self.idle: dict[int, list[object]] = {}  # by batch: what rollouts have left behind for others (see passes.py)

    @property
    def dtype(self) -> torch.dtype:
        return self.generator.no_action.dtype

    @property
    def device(self) -> torch.device:
        return self.generator.no_action.device

    def scale_action(self, action: Tensor) -> Tensor:
        """Encoded actions [.., size] -> numbers of magnitude at most 1."""
        return action / self.action_scale

    def yaw(self, action: Tensor) -> Tensor:
        """Degrees [..] that an encoded action [.., size] turns the camera to the right; 0 without a mouse."""
        axes = self.settings.mouse_axes
        return action[..., -axes].float() if axes else torch.zeros(action.shape[:-1], device=action.device)

    def ask(self, pose: Tensor, motion: Tensor, before: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """From where the coming frame will be seen, as far as pose [.., SIZE], last motion [.., SIZE] and actions tell.

        motion: scaled, as it looked back; before and action: the action [.., size] that it came of and the one to
        come, as the world encodes them. Returns the pose and how far that is from where the camera was, [.., SIZE],
        scaled, the turn left out.
        """
        yaw = self.yaw(action)
        carried = self.generator.momentum(motion, self.scale_action(before), self.scale_action(action), yaw)
        return poses.advance(poses.turn(pose, yaw), carried.detach()), carried

    def arrive(self, asked: Tensor, motion: Tensor) -> Tensor:
        """The pose of a frame asked for at a pose [.., SIZE], from the motion that it shows, [.., SIZE]."""
        return poses.advance(asked, poses.settle(motion.float()))

    def stop(self, shown: Shown, asked: Tensor, behind: Tensor | None = None) -> Tensor:
        """Where the camera can go of where it is `asked` to be, [B, SIZE], its eyes `behind` its body (walls.py)."""
        return asked if self.body is None else stop(Body(*self.body), self.settings, shown, asked, behind)

    def look_back(self, previous: Tensor, pose: Tensor) -> Tensor:
        """`pose.looking_back`."""
        return poses.looking_back(previous, pose)

    def place(self, time: Tensor, pose: Tensor) -> Place:
        """Places of all tokens of frames [B, F] at poses [B, F, SIZE], in the type that the network computes in."""
        return place_tokens(self.settings, time, pose, self._computes_in(), self.tables)

    def tables(
        self, settings: ModelSettings, time: Tensor, pose: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`rope.find_tables`: a method, so that a network may have it compiled (compiled.py)."""
        return find_tables(settings, time, pose, dtype)

    def _computes_in(self) -> torch.dtype:
        kind = self.device.type
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else self.dtype

    def place_still(self) -> Place:
        """Places of the tokens of one frame, with time and pose at rest. Kept, but for gradients and compilers."""
        key = self.device, self._computes_in()
        kept = not torch.is_grad_enabled() and not torch.compiler.is_compiling()
        if kept and key in self.still:
            return self.still[key]
        place = self.place(torch.zeros(1, 1, device=self.device), torch.zeros(1, 1, 3, device=self.device))
        if kept:
            self.still[key] = place
        return place

    def foretell(self, found: Found) -> Tensor:
        """`shape.foretell`; as a method, like the next, for compilers as well."""
        return foretell(found, self.settings.latent_shape[:2])

    def keep_shape(self, foretold: Tensor, guess: Tensor) -> Tensor:
        """`shape.keep_shape`."""
        return keep_shape(foretold, guess)

    def recall(self, count: int, seen_from: Tensor, told: Tensor, views: Tensor) -> tuple[Tensor, Tensor]:
        """Which of N entries, told of as by banks.py, cameras `views` [B, K, SIZE] need: indices [B, count], or -1.

        Then the last of the views, at the height at which these entries know the ground there, [B, SIZE].
        """
        valid, newest = read_told(told)
        index, filled = choose(seen_from, valid, views, count, self.settings.fov, newest)
        index = torch.where(filled, index, constant((-1.0,), index))
        return index, level(views[:, -1], seen_from, told[:, :-1], told[:, -1:] - 1)

    def encode_frames(self, latents: Tensor, action: Tensor, motion: Tensor) -> Tensor:
        """Finished frames -> context tokens [B, F, tokens, dim]. Actions as the world encodes them."""
        return self.encoder(latents, self.scale_action(action), motion[..., :3], self.place_still())

    def draw(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Frames of latents [B, rows, columns, channels]: [B, 3, height, width] in [-1, 1], uint8 channels last."""
        frames = self.codec.decode(latents.to(self.dtype)).clamp(-1, 1)
        return frames, to_bytes(frames).contiguous()

    def refer(self, latents: Tensor) -> Tensor:
        """What of latents [.., rows, columns, channels] is carried over into later views: [.., 3, height, width]."""
        with torch.no_grad():
            return self.codec.decode(latents).clamp(-1, 1)

    def compress_blocks(self, tokens: Tensor, poses: Tensor) -> Tensor:
        """Context tokens [N, block_frames, tokens, dim] at poses [N, block_frames, SIZE] -> entries.

        Entries are [N, tokens, memory_dim]. Positions are taken relative to each block's last frame, headings
        stay absolute.
        """
        frames = self.settings.block_frames
        local = torch.cat([poses[..., :2] - poses[:, -1:, :2], poses[..., 2:]], dim=-1)
        time = torch.arange(1 - frames, 1, device=poses.device).expand(len(poses), frames)
        return self.memory.compress(tokens, self.place(time, local))
