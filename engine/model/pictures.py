"""The pictures of remembered frames that were looked at last, so that one that comes back is not decoded again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor

MOST = 96  # pictures that are kept: 35 MB of the shipped size in bfloat16


class Pictures:
    """Decoded latents by their very numbers: what memory holds now, and under which number, does not matter.

    Latents are [1, rows, columns, channels], on the CPU; pictures are [1, 3, height, width], of the type that they were
    decoded in.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.kept: OrderedDict[bytes, Tensor] = OrderedDict()  # the one that was looked at last comes last

    def clear(self) -> None:
        """Keep none of them."""
        self.kept.clear()

    def put(self, latent: Tensor, picture: Tensor) -> None:
        """Keep a copy of what a latent was decoded to; beyond the most, drop what was not looked at for longest."""
        key = _key(latent)
        self.kept[key] = picture.to(latent.dtype, copy=True)
        self.kept.move_to_end(key)
        if len(self.kept) > self.most:
            self.kept.popitem(last=False)

    def find(self, latent: Tensor, decode: Callable[[Tensor], Tensor]) -> Tensor:
        """What a latent is decoded to, to the bit; not to be written to."""
        key = _key(latent)
        if key not in self.kept:
            self.put(latent, decode(latent))
        self.kept.move_to_end(key)
        return self.kept[key]


def _key(latent: Tensor) -> bytes:
    return latent.contiguous().view(torch.uint8).numpy().tobytes()
