"""A GPU that is none: tensors that say they are on "cuda", computed on the CPU.

It finds what only a machine with a GPU would refuse: operations between tensors of two
devices, and random numbers of the wrong one. It also counts what is asked of the device
and how often it is waited for.
"""

import sys
from collections import Counter
from contextlib import ExitStack

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

CUDA = torch.device("cuda", 0)
# Copies between devices, and what reads only the shape of its first argument.
_MIXED = {
    torch.ops.aten._to_copy.default,
    torch.ops.aten.copy_.default,
    *(getattr(torch.ops.aten, n).default for n in ("new_zeros", "new_empty")),
}
_WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim"}
_FREE = {"view", "slice", "select", "expand", "unsqueeze", "transpose", "detach",
         "_unsafe_view", "split", "alias", "t", "as_strided", "squeeze", "permute",
         "split_with_sizes", "unbind", "empty", "empty_strided", "empty_like",
         "new_empty", "lift_fresh", "unfold"}  # fmt: skip


def again(work):
    """Takes a graph's place: ``work`` is done anew, its result stays where it is."""
    result = work()
    return lambda: result.copy_(work()), result


class OnCuda(Tensor):
    """A tensor that says it is on the GPU; ``held`` is where its numbers are."""

    held: Tensor

    @staticmethod
    def __new__(cls, held):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=CUDA,
        )
        made.held = held
        return made

    def __repr__(self):
        return f"OnCuda({self.held})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func} after the pretended GPU was left")


class _Calls(TorchFunctionMode):
    """Calls that need more of a device than a name: said otherwise."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        args = [_numbered(x) for x in args]
        kwargs = {name: _numbered(x) for name, x in (kwargs or {}).items()}
        if func is torch.tensor and "device" in kwargs:
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        if func is Tensor.pin_memory:
            return args[0]
        if args and isinstance(args[0], OnCuda):
            func = _OTHERWISE.get(func, func)
        return func(*args, **kwargs)


def _flat(values):
    for x in values:
        if isinstance(x, list | tuple):
            yield from _flat(x)
        else:
            yield x


def _each(x, change):
    """``x``, or each of the values in it, changed."""
    return type(x)(map(change, x)) if isinstance(x, list | tuple) else change(x)


def _held(x):
    return x.held if isinstance(x, OnCuda) else x


def _numbered(x):
    """The device with its number: finding out the number needs a driver."""
    is_cuda = isinstance(x, torch.device) and x.type == "cuda"
    return CUDA if is_cuda or (isinstance(x, str) and x == "cuda") else x


def _chosen(x, index):
    """``x[index]`` by operations that need no driver."""
    index = list(index) if isinstance(index, tuple) else [index]
    given = sum(i is not None and i is not Ellipsis for i in index)
    if Ellipsis in [i for i in index if not isinstance(i, Tensor)]:
        at = next(n for n, i in enumerate(index) if i is Ellipsis)
        index[at : at + 1] = [slice(None)] * (x.dim() - given)
    dim, tensors = 0, []
    for i in index:
        if i is None:
            x = x.unsqueeze(dim)
        elif isinstance(i, int):
            x = x.select(dim, i)
            continue
        elif isinstance(i, slice):
            begin, end, _ = i.indices(x.shape[dim])
            x = x.narrow(dim, begin, max(0, end - begin))
        tensors.append(i if isinstance(i, Tensor) else None)
        dim += 1
    if any(i is not None for i in tensors):
        return torch.ops.aten.index.Tensor(x, tensors)
    return x


def _assign(x, index, value):
    """``x[index] = value``; all tensors in it must be on the device, or numbers."""
    index = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, Tensor) for i in index):
        # Look at what is asked for, so that it is checked and counted.
        _chosen(x, index)
    held = tuple(i.held if isinstance(i, OnCuda) else i for i in index)
    if isinstance(value, Tensor):
        if value.dim() and not isinstance(value, OnCuda):
            raise RuntimeError("an assignment between two devices")
        value = getattr(value, "held", value)
    x.held[held] = value


def _copy(x, other):
    x.held.copy_(getattr(other, "held", other))
    return x


_OTHERWISE = {
    Tensor.__getitem__: _chosen,
    Tensor.__setitem__: _assign,
    Tensor.__invert__: torch.bitwise_not,
    Tensor.copy_: _copy,
    Tensor.contiguous: lambda x: (
        x if x.is_contiguous() else x.clone(memory_format=torch.contiguous_format)
    ),
    Tensor.__bool__: lambda x: bool(x.cpu()),
    Tensor.__int__: lambda x: int(x.cpu()),
    Tensor.__float__: lambda x: float(x.cpu()),
    Tensor.item: lambda x: x.cpu().item(),
    Tensor.nonzero: torch.ops.aten.nonzero.default,
    Tensor.tolist: lambda x: x.cpu().tolist(),
}


class _Operations(TorchDispatchMode):
    """Operations on tensors of the pretended GPU, checked, counted and done."""

    def __init__(self, gpu):
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        leaves = [x for x in _flat([*args, *kwargs.values()]) if isinstance(x, Tensor)]
        ours = [x for x in leaves if isinstance(x, OnCuda)]
        theirs = [x for x in leaves if x.dim() and not isinstance(x, OnCuda)]
        if ours and theirs and func not in _MIXED:
            shapes = [(x.device.type, list(x.shape)) for x in leaves]
            raise RuntimeError(f"{func} between two devices: {shapes}")
        there = bool(ours) and not (func is torch.ops.aten.copy_.default and theirs)
        if "device" in kwargs and kwargs["device"] is not None:
            there = torch.device(kwargs["device"]).type == "cuda"
            kwargs["device"] = torch.device("cpu")
        elif func is torch.ops.aten.copy_.default:
            there = isinstance(args[0], OnCuda)
        kwargs.pop("pin_memory", None)
        generator = kwargs.get("generator")
        if there and generator is not None:
            raise RuntimeError(f"{func}: a generator of the CPU for a tensor on cuda")
        if ours or there:
            self._count(func, there)
        wrapped = {id(x.held): x for x in ours}
        named = {name: _each(x, _held) for name, x in kwargs.items()}
        out = func(*[_each(x, _held) for x in args], **named)

        def wrap(x):
            if not (there and isinstance(x, Tensor)):
                return x
            return wrapped.get(id(x)) if id(x) in wrapped else OnCuda(x)

        return _each(out, wrap)

    def _count(self, func, there):
        name = func.overloadpacket.__name__
        if name in _WAITS or not there:
            self.gpu.waits[name] += 1
        if name not in _FREE:
            self.gpu.kernels[name] += 1


class PretendGPU:
    """While it is entered, "cuda" is a device.

    Attributes:
      kernels: how often each operation was asked of the device.
      waits: how often the device had to be waited for.
    """

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch
        self.kernels, self.waits = Counter(), Counter()

    def __enter__(self):
        _forget()
        self.monkeypatch.setattr("torch.cuda._lazy_init", lambda: None)
        self.monkeypatch.setattr("torch.cuda.is_available", lambda: True)
        self.monkeypatch.setattr("torch.cuda.synchronize", lambda: None)
        self._modes = ExitStack()
        self._modes.enter_context(_Calls())
        self._modes.enter_context(_Operations(self))
        return self

    def __exit__(self, *what):
        self._modes.close()
        _forget()


def _forget():
    """Empties what is kept for each device, which a real GPU shares its name with."""
    for name, module in [*sys.modules.items()]:
        if name.partition(".")[0] in ("metaspiel", "offline", "psro"):
            for kept in [*vars(module).values()]:
                getattr(kept, "cache_clear", lambda: None)()


def real_gpu(test):
    """Marks a test that needs a GPU: `pytest -m cuda` runs those alone."""
    here = torch.cuda.is_available()
    return pytest.mark.cuda(pytest.mark.skipif(not here, reason="no GPU here")(test))
