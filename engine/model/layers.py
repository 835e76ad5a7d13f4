"""Transformer layers shared by the frame encoder, the memory model and the generator."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.model.attention import attend
from engine.model.machine import constant
from engine.model.rope import Place, dateless
from engine.model.settings import HEAD_DIM, ModelSettings

NEUTRAL = (1.0, 0.0, 1.0, 1.0, 0.0, 1.0)  # scale, shift and gate of attention, and of the perceptron


class LayerContext(Protocol):
    """What one layer attends to beside its own tokens."""

    def join(self, query: Tensor, own: Tensor) -> tuple[Tensor, Tensor, object]:
        """Own keys and values [2, B, heads, N, head_dim] -> those of the context and the layer's own, and a mask.

        query: [B, heads, N, head_dim], what is going to ask them.
        """
        ...


class Context(Protocol):
    """What all layers attend to beside their own tokens."""

    def at(self, layer: int) -> LayerContext:
        """That of one layer. Layers do not know their number, so that one compiled graph serves all that are alike."""
        ...


def rms(x: Tensor) -> Tensor:
    """Scale vectors to a root mean square of 1 over the last axis."""
    return x * torch.rsqrt(x.float().square().mean(dim=-1, keepdim=True) + 1e-6).to(x.dtype)


def unit_size(x: Tensor) -> Tensor:
    """[.., 1]: what brings the vectors x [.., dim] to a root mean square of 1."""
    if torch.is_grad_enabled():  # as below, with a gradient that is a number for zeros, however it is compiled
        return x.shape[-1] ** 0.5 * x.float().square().sum(dim=-1, keepdim=True).clamp(min=1e-8).rsqrt()
    return x.shape[-1] ** 0.5 / torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp(min=1e-4)


def norm(x: Tensor) -> Tensor:
    """Layer norm over the last axis, without gains."""
    return F.layer_norm(x, x.shape[-1:])


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """x [B, frames, tokens, dim], scale and shift [B, frames, dim]."""
    return torch.addcmul(shift.unsqueeze(2), x, scale.unsqueeze(2))


def norm_modulated(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """modulate(norm(x), scale, shift); for a single frame without a gradient in one pass."""
    if scale.numel() == x.shape[-1] and not torch.is_grad_enabled():
        return F.layer_norm(x, x.shape[-1:], scale.flatten(), shift.flatten())
    return modulate(norm(x), scale, shift)


class Layer(nn.Module):
    """Attention and a two-layer perceptron, each behind a norm and around a skip.

    With `modulation` [B, frames, 6, dim] (adaptive layer norm; see `modulations`), norms and outputs are scaled by
    the conditioning. With a `context`, attention also reads the context's keys and values.
    """

    def __init__(self, settings: ModelSettings, modulated: bool = False) -> None:
        super().__init__()
        dim, hidden = settings.dim, settings.dim * settings.mlp_ratio
        self.heads = settings.heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)
        self.up = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)
        self.modulation = nn.Parameter(torch.zeros(6, dim)) if modulated else None
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.down.weight)

    def forward(
        self, h: Tensor, place: Place, context: LayerContext | None = None, modulation: Tensor | None = None
    ) -> Tensor:
        """h: [B, frames, tokens, dim]; place: of all its tokens."""
        if modulation is None:
            h = h + self._attention(norm(h), place, context)
            return h + self.think(norm(h))
        scale1, shift1, gate1, scale2, shift2, gate2 = modulation.unbind(2)
        x = self._attention(norm_modulated(h, scale1, shift1), place, context)
        h = torch.addcmul(h, x, gate1.unsqueeze(2))
        x = self.think(norm_modulated(h, scale2, shift2))
        return torch.addcmul(h, x, gate2.unsqueeze(2))

    def think(self, x: Tensor) -> Tensor:
        """The perceptron."""
        return self.down(F.relu(self.up(x)).square())

    def _attention(self, x: Tensor, place: Place, context: LayerContext | None) -> Tensor:
        batch, frames, tokens, dim = x.shape
        qkv = self.qkv(x).view(batch, frames * tokens, 3, dim)
        size = unit_size(qkv[:, :, :2]).unsqueeze(-1)  # of queries and keys; moving is linear, so it can come after
        moved = place.qkv(qkv.unflatten(-1, (self.heads, HEAD_DIM)))
        moved[:, :, :2].mul_(size)
        moved = moved.to(qkv.dtype).permute(2, 0, 3, 1, 4)
        (query, key, value), mask = moved, None
        if context is not None:
            key, value, mask = context.join(query, moved[1:])
        out = attend(query, key, value, mask).transpose(1, 2)  # type: ignore[arg-type]
        return self.out(place.back(out).to(qkv.dtype).reshape(batch, frames, tokens, dim))


def modulations(layers: Iterable[nn.Module], told: Tensor) -> tuple[Tensor, ...]:
    """What scales and shifts each of the layers [B, frames, 6, dim], from the conditioning's part in that.

    For all layers at once. Scales and gates have 1 added, so that zeros change nothing.
    """
    own = torch.stack([layer.get_parameter("modulation") for layer in layers]).to(told.dtype)
    return (told + own[:, None, None] + constant(NEUTRAL, told)[:, None]).unbind()


class ContextReader(nn.Module):
    """Context tokens -> keys and values for several layers at once, in one product."""

    def __init__(self, size: int, num_layers: int, settings: ModelSettings) -> None:
        super().__init__()
        self.num_layers, self.heads = num_layers, settings.heads
        self.project = nn.Linear(size, num_layers * 2 * settings.dim, bias=False)

    def forward(self, tokens: Tensor, place: Place, dated: bool) -> Tensor:
        """tokens [B, frames, tokens, size] at `place` -> [layers, 2, B, heads, frames * tokens, head_dim].

        dated: whether keys and values keep their time; memory entries do not.
        """
        kv = self.project(tokens).flatten(1, 2).unflatten(-1, (self.num_layers, 2, -1))
        size = unit_size(kv[:, :, :, :1]).unsqueeze(-1)
        kv = kv.unflatten(-1, (self.heads, HEAD_DIM))
        if not dated:
            kv = kv * dateless(kv.dtype, kv.device)
        moved = place.into(kv)
        if torch.is_grad_enabled():  # what PyTorch 2.11 compiles for a GPU of the other has gradients that are none
            moved = moved * torch.cat([size, torch.ones_like(size)], dim=3).to(moved.dtype)
        else:
            moved[:, :, :, :1].mul_(size)
        return moved.to(kv.dtype).permute(2, 3, 0, 4, 1, 5)


class Patches(nn.Module):
    """Latents [B, frames, rows, columns, channels] -> tokens [B, frames, frame_tokens, dim], registers last."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        rows, columns = settings.grid
        self.embed = nn.Linear(settings.patch_dim, settings.dim)
        self.position = nn.Parameter(0.02 * torch.randn(rows * columns, settings.dim))
        self.registers = nn.Parameter(0.02 * torch.randn(settings.registers, settings.dim))

    def forward(self, latents: Tensor, register_extra: Tensor, spatial_extra: Tensor | None = None) -> Tensor:
        """Added to every register: register_extra [B, frames, dim]; to the rest: spatial_extra [B, frames, N, dim]."""
        spatial = self.embed(to_patches(latents, self.settings.patch)) + self.position.to(latents.dtype)
        if spatial_extra is not None:
            spatial = spatial + spatial_extra
        registers = self.registers.to(latents.dtype) + register_extra.unsqueeze(2)
        return torch.cat([spatial, registers], dim=2)


def to_patches(latents: Tensor, patch: int) -> Tensor:
    """[.., rows, columns, channels] -> [.., tokens, patch * patch * channels]."""
    *lead, rows, columns, channels = latents.shape
    x = latents.reshape(*lead, rows // patch, patch, columns // patch, patch, channels)
    return x.transpose(-4, -3).reshape(*lead, rows * columns // patch**2, patch * patch * channels)


def from_patches(tokens: Tensor, patch: int, grid: tuple[int, int]) -> Tensor:
    """The inverse of `to_patches`; grid is (rows, columns) of tokens."""
    *lead, _, size = tokens.shape
    x = tokens.reshape(*lead, grid[0], grid[1], patch, patch, size // patch**2)
    return x.transpose(-4, -3).reshape(*lead, grid[0] * patch, grid[1] * patch, size // patch**2)


class Waves(nn.Module):
    """A small vector of numbers -> dim, through sines and cosines of each at several rates."""

    rates: Tensor

    def __init__(self, size: int, dim: int, rates: int = 6, top: float = 16.0) -> None:
        super().__init__()
        self.register_buffer("rates", math.pi * torch.logspace(-1, math.log10(top), rates), persistent=False)
        self.layers = nn.Sequential(nn.Linear(size * (1 + 2 * rates), dim), nn.SiLU(), nn.Linear(dim, dim))

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def forward(self, x: Tensor) -> Tensor:
        """[.., size] of magnitude about 1 -> [.., dim]. Phases are computed in float32."""
        x = x.float()
        phase = (x.unsqueeze(-1) * self.rates.float()).flatten(-2)
        waves = torch.cat([x, phase.sin(), phase.cos()], dim=-1)
        return self.layers(waves.to(self.dtype))
