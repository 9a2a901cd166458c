"""Work on a GPU recorded as a CUDA graph, whose replay starts all its kernels at once.

Starting small kernels one by one takes longer than running them. Other numbers come in
through tensors that stay where they are.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Replay = Callable[[], None]
Capture = Callable[[Callable[[], Tensor]], tuple[Replay, Tensor]]
_WARM = 3


def on_cuda(work: Callable[[], Tensor], pool: Any = None) -> tuple[Replay, Tensor]:
    """Records ``work`` as a CUDA graph.

    Before it is recorded, the work is done a few times on a stream of its own, so that
    libraries are loaded and their workspaces exist (PyTorch, CUDA semantics, section
    "CUDA Graphs").

    Args:
      work: kernels on tensors that stay where they are; it must not wait for the GPU.
      pool: memory that graphs share of which one runs at a time, as
        ``torch.cuda.graph_pool_handle()``; None for memory of its own.

    Returns:
      What does the work again, and the tensor in which its result then is.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool):
        result = work()
    return graph.replay, result
