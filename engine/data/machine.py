"""On what frames were made: another machine, or another number of threads, rounds the same sums otherwise."""

from __future__ import annotations

import platform
import re
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


def describe_machine(device: str) -> str:
    """The processor or graphics card that makes the frames on `device` ("cpu", "cuda", ...), and the PyTorch."""
    import torch

    if device.startswith("cuda") and torch.cuda.is_available():
        chip = torch.cuda.get_device_name(torch.device(device))
    elif device == "cpu":
        chip = f"{processor()} with {torch.backends.cpu.get_cpu_capability()}"
    else:
        chip = device
    return f"{chip}, PyTorch {torch.__version__}"


def num_threads(device: str) -> int | None:
    """How many threads of the CPU share in making frames, which decides how sums are rounded; None where none do."""
    import torch

    return torch.get_num_threads() if device == "cpu" else None


def processor() -> str:
    """The CPU's name where the system tells it, or else its kind."""
    try:
        names = re.findall(r"^model name\s*:\s*(.+)$", CPU_INFO.read_text(), re.MULTILINE)
    except OSError:
        names = []
    return " ".join(names[0].split()) if names else platform.processor() or platform.machine()
