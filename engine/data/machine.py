"""Which kind of machine frames were made on: on another, the same numbers are rounded otherwise."""

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


def processor() -> str:
    """The CPU's name where the system tells it, or else its kind."""
    try:
        names = re.findall(r"^model name\s*:\s*(.+)$", CPU_INFO.read_text(), re.MULTILINE)
    except OSError:
        names = []
    return " ".join(names[0].split()) if names else platform.processor() or platform.machine()
