"""Codec: frame <-> latent, a convolutional autoencoder with a spherical bottleneck.

Latents are normalised per cell before the decoder sees them, so noise of a fixed size means the
same everywhere, and the generator's small errors stay small errors in the picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.settings import CodecSettings


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip; the first is preceded by a group norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(self.norm(x)))))


class Encoder(nn.Module):
    """Frames [N, 3, height, width] in [-1, 1] -> cells [N, channels, rows, columns]."""

    def __init__(self, settings: CodecSettings) -> None:
        super().__init__()
        widths, depths = settings.encoder_widths, settings.encoder_depths
        modules: list[nn.Module] = [nn.PixelUnshuffle(4), nn.Conv2d(48, widths[0], 3, padding=1)]
        for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            modules += [ResidualBlock(width) for _ in range(depth)]
            if index + 1 < len(widths):
                modules.append(nn.Conv2d(width, widths[index + 1], 4, stride=2, padding=1))
        modules += [
            nn.GroupNorm(8, widths[-1]),
            nn.SiLU(),
            nn.Conv2d(widths[-1], settings.latent_channels, 3, padding=1),
        ]
        self.layers = nn.Sequential(*modules)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Decoder(nn.Module):
    """Cells [N, channels, rows, columns] -> frames [N, 3, height, width] in about [-1, 1]."""

    def __init__(self, settings: CodecSettings) -> None:
        super().__init__()
        widths, depths = settings.decoder_widths, settings.decoder_depths
        modules: list[nn.Module] = [nn.Conv2d(settings.latent_channels, widths[0], 3, padding=1)]
        for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            modules += [ResidualBlock(width) for _ in range(depth)]
            if index + 1 < len(widths):
                modules += [nn.Conv2d(width, 4 * widths[index + 1], 1), nn.PixelShuffle(2)]
        side = settings.stride // 2 ** (len(widths) - 1)  # pixels that one cell of the last stage becomes
        modules += [nn.SiLU(), nn.Conv2d(widths[-1], 3 * side * side, 3, padding=1), nn.PixelShuffle(side)]
        self.layers = nn.Sequential(*modules)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Codec(nn.Module):
    """Frame <-> latent. Frames are RGB in [-1, 1]; latents are [.., rows, columns, channels] of about unit variance."""

    shift: Tensor
    scale: Tensor

    def __init__(self, settings: CodecSettings) -> None:
        super().__init__()
        self.encoder = Encoder(settings)
        self.decoder = Decoder(settings)
        self.register_buffer("shift", torch.zeros(settings.latent_channels))
        self.register_buffer("scale", torch.ones(settings.latent_channels))

    def encode_cells(self, frames: Tensor) -> Tensor:
        """Frames [N, 3, H, W] -> cells [N, channels, rows, columns] on the sphere of radius sqrt(channels)."""
        cells = self.encoder(frames)
        return cells * torch.rsqrt(cells.square().mean(dim=1, keepdim=True) + 1e-6)

    def encode(self, frames: Tensor) -> Tensor:
        """Frames [.., 3, H, W] in [-1, 1] -> latents [.., rows, columns, channels]."""
        lead = frames.shape[:-3]
        cells = self.encode_cells(frames.flatten(0, -4)).permute(0, 2, 3, 1)
        return ((cells - self.shift) / self.scale).unflatten(0, lead)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [.., rows, columns, channels] -> frames [.., 3, H, W] in [-1, 1], not clipped."""
        lead = latents.shape[:-3]
        cells = (latents * self.scale + self.shift).flatten(0, -4).permute(0, 3, 1, 2)
        cells = cells * torch.rsqrt(cells.square().mean(dim=1, keepdim=True) + 1e-6)
        return self.decoder(cells).unflatten(0, lead)

    def bound(self, latents: Tensor, whole: bool = False) -> Tensor:
        """Latents whose cells lie beyond the sphere, brought back onto it: they look the same, but cannot grow.

        whole: cells that lie inside are brought onto it as well, so that latents are alike that look alike.
        """
        scale, shift = self.scale.float(), self.shift.float()
        cells = latents.float() * scale + shift
        size = cells.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=1e-2 if whole else 1)
        return ((cells / size - shift) / scale).to(latents.dtype)

    @torch.no_grad()
    def set_statistics(self, cells: Tensor) -> None:
        """Take shift and scale from sample cells [N, channels, rows, columns]: latents get unit variance."""
        self.shift.copy_(cells.mean(dim=(0, 2, 3)))
        self.scale.copy_(cells.std(dim=(0, 2, 3)))


def to_unit(frames: Tensor) -> Tensor:
    """uint8 frames [.., H, W, 3] -> float [.., 3, H, W] in [-1, 1]."""
    return frames.movedim(-1, -3).float() / 127.5 - 1.0


def to_bytes(frames: Tensor) -> Tensor:
    """Frames [.., 3, H, W] in [-1, 1] -> uint8 [.., H, W, 3]."""
    return ((frames.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(-3, -1)


def side_by_side(pictures: Tensor) -> Tensor:
    """Memory for pictures [.., 3, height, width]: on a GPU, which draws and samples them so, laid out channels last."""
    if not pictures.is_cuda:
        return pictures
    return pictures.view(*pictures.shape[:-3], *pictures.shape[-2:], 3).movedim(-1, -3)
