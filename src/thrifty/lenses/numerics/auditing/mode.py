"""The dispatch mode: every operator that torch runs, forward and backward, goes through `Arithmetic`. Imports torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from thrifty.errors import BadValue, unknown_name
from thrifty.formats import FloatSpec, float_spec
from thrifty.lenses.numerics.auditing import attending, steps
from thrifty.lenses.numerics.auditing.arithmetic import Arithmetic, Watch, dtype_of, narrow, wide
from thrifty.lenses.numerics.auditing.convolving import convolve, convolve_transposed, weight_gradient
from thrifty.lenses.numerics.auditing.kinds import DRAWS, MOVES, SCALARS, VIEWS
from thrifty.lenses.numerics.auditing.rounding import SPECS
from thrifty.lenses.numerics.auditing.steps import Steps, Tensor
from thrifty.lenses.numerics.auditing.values import ANY, float_tensors, place_of
from thrifty.lenses.numerics.policy import Policy
from thrifty.lenses.numerics.policy.operators import LIST, STEPS, plain_name

aten = torch.ops.aten
SPEEDS: Final = ("fast", "exact")
FP64: Final = float_spec("fp64")

TAKEN_APART: Final[dict[str, Callable[..., Any]]] = {
    "softmax": steps.softmax, "softmax_backward": steps.softmax_backward, "log_softmax": steps.log_softmax,
    "log_softmax_backward": steps.log_softmax_backward, "logsumexp": steps.logsumexp, "layer_norm": steps.layer_norm,
    "layer_norm_backward": steps.layer_norm_backward, "group_norm": steps.group_norm, "gelu": steps.gelu, "gelu_backward": steps.gelu_backward,
    "silu": steps.silu, "silu_backward": steps.silu_backward, "mse_loss": steps.mse_loss, "var": steps.var,
}  # fmt: skip


class Emulation(TorchDispatchMode):
    """A policy over everything that torch computes while it is entered; see `emulate`."""

    def __init__(self, policy: Policy, working: str, *, fused: Collection[str], speed: str, seed: int, watch: Watch | None = None) -> None:
        super().__init__()
        if speed not in SPEEDS:
            raise BadValue(f"speed='{speed}' is unknown. Choose: {', '.join(SPEEDS)}.")
        for name in fused:
            if name not in STEPS:
                raise unknown_name("operator to fuse", name, STEPS, LIST)
        self.arithmetic = Arithmetic(policy, float_spec(working).name, speed=speed, seed=seed, watch=watch)
        self._fused = frozenset(fused) | {f"{name}_backward" for name in fused if f"{name}_backward" in STEPS}
        self._within: list[str] = []
        self._hooks: list[Any] = []

    def __enter__(self) -> Emulation:
        self.arithmetic.values.forget_outside()
        super().__enter__()
        return self

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _handler(func)(self, func, args, kwargs or {})

    @contextmanager
    def region(self, name: str = "region") -> Iterator[None]:
        """Operators inside are one kernel: their results stay as their tensors' dtype holds them, and what is left at the end is rounded then.

        That is what is still alive: what the code goes on with, and what the backward pass needs.
        """
        held = self.arithmetic
        self._within.append(name)
        held.region = held.region or name
        try:
            yield
        finally:
            self._within.pop()
            if not self._within:
                ended, held.region = held.region, ""
                for memory, site in held.values.pending(ended):
                    memory.copy_(held.round(memory, site, memory.dtype))
                    held.values.mark(memory, held.rounding(site).spec)

    def fuse(self, module: torch.nn.Module, name: str = "") -> None:
        """Every call of `module` becomes a region."""
        open_: list[Any] = []

        def before(*_: Any) -> None:
            open_.append(self.region(name or type(module).__name__))
            open_[-1].__enter__()

        def after(*_: Any) -> None:
            open_.pop().__exit__(None, None, None)

        self._hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after, always_call=True)]

    def close(self) -> None:
        """Modules are as they were."""
        for each in self._hooks:
            each.remove()
        self._hooks.clear()

    def taken(self, tree: Any) -> Any:
        """Arguments as operators read them: tensors from outside rounded."""
        if isinstance(tree, torch.Tensor):
            return self.arithmetic.values.taken(tree) if tree.dtype in SPECS else tree
        if isinstance(tree, dict):
            return {name: self.taken(each) for name, each in tree.items()}
        return type(tree)(self.taken(each) for each in tree) if isinstance(tree, list | tuple) else tree

    def steps(self, name: str, dtype: torch.dtype) -> Steps:
        return Steps(self.arithmetic, name, dtype, fused=name in self._fused or bool(self.arithmetic.region))


Handler = Callable[[Emulation, Any, Any, Any], Any]


@functools.cache
def _handler(func: Any) -> Handler:
    """What is done with an operator."""
    schema = func._schema
    if func.namespace != "aten":
        return _custom if func.namespace not in ("profiler", "prim", "prims") else _pass
    raw = schema.name.removeprefix("aten::")
    writes = any(each.alias_info is not None and each.alias_info.is_write for each in schema.arguments)
    base = raw[:-1] if raw.endswith("_") and not raw.endswith("__") else raw
    name = plain_name(raw)
    if name in ("native_batch_norm", "batch_norm"):
        return _batch_norm
    if raw in ("copy_", "to_copy", "_to_copy", "fill_", "zero_", "resize_", "set_") or name in DRAWS or base in DRAWS:
        return {"copy_": _copy, "_to_copy": _cast}.get(raw, _draw if name in DRAWS or base in DRAWS else _move)
    if writes:
        twin = _twin(func, base)
        return _write if twin is None else functools.partial(_by_twin, twin)
    if base.lstrip("_") in VIEWS:
        return _pass
    if name == "index_put" or base.lstrip("_") in MOVES or name in MOVES:
        return _move
    if name == "scaled_dot_product_attention" or name == "scaled_dot_product_attention_backward":
        return _attend
    found: dict[str, Handler] = {
        "mm": _product, "bmm": _product, "mv": _product, "dot": _product, "vdot": _product, "addmm": _add_product, "baddbmm": _add_product,
        "addmv": _add_product, "convolution": _convolution, "convolution_overrideable": _convolution, "convolution_backward": _convolution_backward,
        "sum": _sum, "mean": _sum, "linalg_vector_norm": _norm, "nll_loss_forward": _nll,
    }  # fmt: skip
    if name in found:
        return found[name]
    if name in TAKEN_APART and (name != "var" or schema.overload_name == "correction"):
        return functools.partial(_apart, name)
    return functools.partial(_point, f"aten.{name}")


def _twin(func: Any, base: str) -> Any:
    """The overload that does the same and writes to nothing: ``add.Tensor`` for ``add_.Tensor`` and for ``add.out``."""
    packet = getattr(aten, base.removesuffix("_out"), None)
    if packet is None:
        return None
    wanted = [(each.name, str(each.type)) for each in func._schema.arguments if not each.is_out]
    for overload in packet.overloads():
        found = getattr(packet, overload)
        arguments = found._schema.arguments
        if not any(each.alias_info is not None for each in arguments) and [(each.name, str(each.type)) for each in arguments] == wanted:
            return found
    return None


def _by_twin(twin: Any, mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """In place and ``out=``: computed apart, then written."""
    arguments = func._schema.arguments
    given = {each.name: args[place] for place, each in enumerate(arguments[: len(args)])} | kwargs
    targets = [given[each.name] for each in arguments if each.alias_info is not None and each.alias_info.is_write and each.name in given]
    rest = {name: value for name, value in kwargs.items() if not any(each.is_out and each.name == name for each in arguments)}
    made = _handler(twin)(mode, twin, args, rest)
    results = [made] if isinstance(made, torch.Tensor) else list(made)
    if len(targets) == 1 and isinstance(targets[0], list | tuple):
        targets = list(targets[0])
    for target, result in zip(targets, results, strict=True):
        _written(mode, target, result, any(each.is_out for each in arguments))
    if not func._schema.returns:
        return None
    return targets[0] if len(func._schema.returns) == 1 and isinstance(made, torch.Tensor) else tuple(targets)


def _written(mode: Emulation, target: Tensor, result: Tensor, out: bool = False) -> None:
    if out and target.shape != result.shape:
        target.resize_(result.shape)
    if target.dtype not in SPECS:
        target.copy_(result)
        return
    values = mode.arithmetic.values
    held, spec = values.held(result), values.spec(result) if result.dtype in SPECS else float_spec("fp64")
    target.copy_(result)
    values.mark(target, spec, region=held.region if held else "", site=held.site if held else "")


def _write(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """An operator that writes and has no twin: on FP64 copies, then rounded and written."""
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    arguments = func._schema.arguments
    given = {each.name: args[place] for place, each in enumerate(arguments[: len(args)])} | kwargs
    written = {each.name for each in arguments if each.alias_info is not None and each.alias_info.is_write and each.name in given}
    held = {name: _fp64(mode.taken(value)) for name, value in given.items()}
    made = func(**{("self" if name == "self" else name): value for name, value in held.items()})
    back: dict[int, Tensor] = {}
    for name in written:
        targets, results = (x if isinstance(x, list | tuple) else [x] for x in (given[name], held[name]))
        for target, result in zip(targets, results, strict=True):
            if isinstance(target, torch.Tensor):
                _written(mode, target, mode.arithmetic.round(result, site, target.dtype) if target.dtype in SPECS else result)
                back[id(result)] = target
    results = made if isinstance(made, list | tuple) else [made]
    out = [back.get(id(each), mode.arithmetic.round(each, site, torch.float32) if isinstance(each, torch.Tensor) and each.dtype in SPECS else each)
           for each in results]  # fmt: skip
    return None if made is None else tuple(out) if isinstance(made, list | tuple) else out[0]


def _fp64(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return x.detach().to(torch.float64, copy=True) if x.dtype in SPECS else x
    return type(x)(_fp64(each) for each in x) if isinstance(x, list | tuple) else x


def _pass(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _custom(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """An operator of somebody else's library: run as it is, its results rounded."""
    return _rounded(mode, f"aten.{func._schema.name.partition('::')[2]}", func(*mode.taken(args), **mode.taken(kwargs)))


def _rounded(mode: Emulation, site: str, made: Any) -> Any:
    if isinstance(made, torch.Tensor):
        return mode.arithmetic.round(made, site, made.dtype) if made.dtype in SPECS else made
    return type(made)(_rounded(mode, site, each) for each in made) if isinstance(made, list | tuple) else made


def _move(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """Numbers go elsewhere."""
    args, kwargs = mode.taken(args), mode.taken(kwargs)
    values, tensors = mode.arithmetic.values, float_tensors(args) + float_tensors(kwargs)
    name = plain_name(func._schema.name.removeprefix("aten::"))
    if name == "index_put" and len(args) > 3 and args[3]:
        return _point("aten.index_put", mode, func, args, kwargs)
    if name in SCALARS and any(isinstance(each, float) and each not in (0.0, 1.0) and abs(each) != float("inf") for each in (*args, *kwargs.values())):
        return _point(f"aten.{name}", mode, func, args, kwargs)
    places = {place_of(each) for each in tensors}
    made = func(*args, **kwargs)
    spec = functools.reduce(_both, (values.spec(each) for each in tensors), ANY)
    region = next((found.region for each in tensors if (found := values.held(each)) is not None and found.region), "")
    for each in float_tensors([made]):
        if place_of(each) not in places:
            values.mark(each, spec, region=region, site=f"aten.{name}")
    return made


def _both(one: FloatSpec, other: FloatSpec) -> FloatSpec:
    return one if one.holds(other) else other if other.holds(one) else FP64


def _copy(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    target, source = args[0], args[1]
    if target.dtype not in SPECS or not isinstance(source, torch.Tensor) or source.dtype not in SPECS:
        return func(*args, **kwargs)
    _written(mode, target, _narrowed(mode, mode.taken(source), target.dtype))
    return target


def _narrowed(mode: Emulation, x: Tensor, dtype: torch.dtype) -> Tensor:
    """x in another dtype, rounded once to its format where that holds less."""
    spec = float_spec(SPECS[dtype])
    if spec.holds(mode.arithmetic.values.spec(x)):
        out = x.to(dtype, copy=True)
        mode.arithmetic.values.mark(out, mode.arithmetic.values.spec(x))
        return out
    from thrifty.formats import Rounding
    from thrifty.lenses.numerics.auditing.rounding import round_tensor

    out = round_tensor(x, Rounding.of(spec), dtype)
    mode.arithmetic.values.mark(out, spec)
    return out


def _cast(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    dtype = kwargs.get("dtype")
    x = args[0]
    if dtype not in SPECS or x.dtype not in SPECS:
        made = func(*mode.taken(args), **kwargs)
        if made.dtype in SPECS:
            made = mode.arithmetic.round(made, "aten.to_copy", made.dtype) if x.dtype not in SPECS else made
        return made
    held = _narrowed(mode, mode.taken(x), dtype)
    made = func(held, **kwargs)
    mode.arithmetic.values.mark(made, mode.arithmetic.values.spec(held))
    return made


def _draw(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    if site in ("aten.dropout", "aten.native_dropout"):
        x, p, train = mode.taken(args[0]), args[1], args[2] if len(args) > 2 else kwargs.get("train", True)
        _, kept = func(x, p, train)
        if not train or p == 0:
            return _move(mode, aten.clone.default, (x,), {}), kept
        return mode.arithmetic.point(site, _kept, x, kept.to(x.dtype), 0.0 if p == 1 else 1.0 / (1.0 - p)), kept
    made = func(*args, **kwargs)
    for each in float_tensors([made]):
        rounded = mode.arithmetic.round(each, site, each.dtype)
        each.copy_(rounded)
        mode.arithmetic.values.mark(each, mode.arithmetic.values.spec(rounded))
    return made


def _kept(x: Tensor, kept: Tensor, factor: float) -> Tensor:
    return x * kept * factor


def _point(site: str, mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """One operation, rounded once; several results each."""
    args, kwargs = mode.taken(args), mode.taken(kwargs)
    returns = func._schema.returns
    tensors = float_tensors(args) + float_tensors(kwargs)
    if len(returns) == 1 and str(returns[0].type) == "Tensor":
        if not tensors and not _makes_floats(func, args, kwargs):
            return func(*args, **kwargs)
        if func in (aten.add.Tensor, aten.sub.Tensor) and kwargs.get("alpha") == 1:
            kwargs = {}
        if _is_test(func):
            return func(*args, **kwargs)
        return mode.arithmetic.point(site, func, *args, **kwargs)
    if not tensors:
        return func(*args, **kwargs)
    dtype = dtype_of(func, tensors, args, kwargs)
    made: Any = wide(func, args, kwargs)
    if isinstance(made, bool | int | float | complex):
        return made
    results = [mode.arithmetic.round(each, site, dtype) if isinstance(each, torch.Tensor) and each.dtype in SPECS else each for each in made]
    return results if isinstance(made, list) else tuple(results)


_TESTS: Final = frozenset({
    "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "signbit", "logical_and", "logical_or", "logical_not", "logical_xor", "equal",
    "argmax", "argmin", "any", "all", "count_nonzero", "nonzero", "bucketize", "searchsorted", "isclose", "is_nonzero", "local_scalar_dense", "histc", "bincount",
    "isneginf", "isposinf", "allclose", "item", "is_same_size", "sym_size", "unique2", "unique_dim",
})  # fmt: skip


@functools.cache
def _is_test(func: Any) -> bool:
    """Its results are truths or whole numbers."""
    return plain_name(func._schema.name.removeprefix("aten::")) in _TESTS


def _makes_floats(func: Any, args: Any, kwargs: Any) -> bool:
    """Floats come of whole numbers: a division, a mean, a range with a step of its own."""
    name = plain_name(func._schema.name.removeprefix("aten::"))
    asked = kwargs.get("dtype")
    if asked is not None:
        return asked in SPECS
    return name in ("div", "true_divide", "linspace", "logspace", "scalar_tensor", "full", "arange", "full_like", "exp", "log", "sqrt", "rsqrt") and not (
        name in ("arange", "full", "full_like") and all(isinstance(each, int | torch.Size | list) for each in args)
    )


def _product(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    a, b = mode.taken(args[0]), mode.taken(args[1])
    if a.dtype not in SPECS:
        return func(a, b)
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    return mode.arithmetic.round(mode.arithmetic.multiply(site, a, b), site, torch.promote_types(a.dtype, b.dtype))


def _add_product(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """beta · bias + alpha · (a @ b): added to the sum before that is rounded, as the end of a matrix kernel does."""
    bias, a, b = (mode.taken(each) for each in args[:3])
    if a.dtype not in SPECS:
        return func(bias, a, b, **kwargs)
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    beta, alpha = kwargs.get("beta", 1), kwargs.get("alpha", 1)
    made = mode.arithmetic.multiply(site, a, b).to(torch.float64)
    made = made * alpha if alpha != 1 else made
    made = made + (bias.to(torch.float64) * beta if beta != 1 else bias) if beta != 0 else made
    return mode.arithmetic.round(made, site, torch.promote_types(a.dtype, b.dtype))


def _sum(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    x = mode.taken(args[0])
    if x.dtype not in SPECS:
        return _point(f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}", mode, func, args, kwargs)
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    dims, keepdim = _dims(x, args[1] if len(args) > 1 else kwargs.get("dim")), args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    total = mode.arithmetic.add_up(site, x, dims)
    if site == "aten.mean":
        count = 1
        for axis in dims:
            count *= x.shape[axis]
        total = total.to(torch.float64) / count
    if keepdim:
        total = total.reshape([1 if axis in dims else size for axis, size in enumerate(x.shape)])
    return mode.arithmetic.round(total, site, dtype_of(func, [x], args, kwargs))


def _dims(x: Tensor, said: Any) -> list[int]:
    if said is None or (isinstance(said, list | tuple) and not said):
        return list(range(x.dim()))
    held = said if isinstance(said, list | tuple) else [said]
    return sorted(axis % x.dim() for axis in held) if x.dim() else []


def _norm(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """√Σx²: the squares' sum is kept as said, its root is rounded once. Other norms are one operation."""
    x, order = mode.taken(args[0]), args[1] if len(args) > 1 else 2
    if order != 2:
        return _point("aten.linalg_vector_norm", mode, func, args, kwargs)
    held = x.to(torch.float64)
    dims = _dims(x, args[2] if len(args) > 2 else kwargs.get("dim"))
    total = mode.arithmetic.add_up("aten.linalg_vector_norm", held * held, dims).to(torch.float64)
    if args[3] if len(args) > 3 else kwargs.get("keepdim", False):
        total = total.reshape([1 if axis in dims else size for axis, size in enumerate(x.shape)])
    return mode.arithmetic.round(total.sqrt(), "aten.linalg_vector_norm", dtype_of(func, [x], args, kwargs))


def _nll(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """Mean or sum of −log p of the targets; the count that it is divided by is not rounded."""
    logp, target, weight, reduction, ignored = args
    if weight is not None or reduction == 0 or logp.dim() != 2:
        made = wide(func, mode.taken(args), {})
        return mode.arithmetic.round(made[0], "aten.nll_loss_forward", logp.dtype), made[1].to(logp.dtype)
    kept = target != ignored
    picked = -mode.taken(logp).gather(1, torch.where(kept, target, torch.zeros_like(target)).unsqueeze(1)).squeeze(1)[kept]
    total, count = mode.arithmetic.add_up("aten.nll_loss_forward", picked, [0]).to(torch.float64), int(kept.sum())
    if reduction == 1:
        total = total / count
    return mode.arithmetic.round(total, "aten.nll_loss_forward", logp.dtype), torch.tensor(float(count), dtype=logp.dtype)


def _apart(name: str, mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    args, kwargs = mode.taken(args), mode.taken(kwargs)
    tensors = float_tensors(args)
    if not tensors or tensors[0].numel() == 0:
        return _point(f"aten.{name}", mode, func, args, kwargs)
    return TAKEN_APART[name](mode.steps(name, dtype_of(func, tensors, (), {})), *args, **kwargs)


def _attend(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    args, kwargs = mode.taken(args), mode.taken(kwargs)
    backward = "backward" in func._schema.name
    names = [each.name for each in func._schema.arguments]
    given = dict(zip(names, args, strict=False)) | kwargs
    if given.get("dropout_p", 0.0):
        raise BadValue(f"dropout_p={given['dropout_p']} within fused attention draws inside the kernel. Write attention out, or set dropout to 0.")
    if not func._schema.name.endswith(("flash_attention_for_cpu", "flash_attention_for_cpu_backward")):
        raise BadValue(f"{func._schema.name} is an attention kernel whose steps are not known here. Run on the CPU, or write attention out.")
    m = mode.steps("scaled_dot_product_attention", given["query"].dtype)
    more = {"attn_mask": given.get("attn_mask"), "scale": given.get("scale")}
    if backward:
        return attending.attend_backward(m, given["grad_out"], given["query"], given["key"], given["value"], given["out"], given["logsumexp"], 0.0,
                                         given["is_causal"], **more)  # fmt: skip
    return attending.attend(m, given["query"], given["key"], given["value"], 0.0, given.get("is_causal", False), **more)


def _convolution(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    x, weight, bias, stride, padding, dilation, transposed, extra, groups = mode.taken(args)
    stride, padding, dilation, extra = (_each(value, weight.dim() - 2) for value in (stride, padding, dilation, extra))
    multiply = functools.partial(mode.arithmetic.multiply, "aten.convolution")
    if transposed:
        made = convolve_transposed(x, weight, stride, padding, dilation, extra, groups, multiply)
    else:
        made = convolve(x, weight, stride, [(each, each) for each in padding], dilation, groups, multiply)
    if bias is not None:
        made = made.to(torch.float64) + bias.reshape([1, -1, *([1] * (weight.dim() - 2))])
    return mode.arithmetic.round(made, "aten.convolution", torch.promote_types(x.dtype, weight.dtype))


def _convolution_backward(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    grad, x, weight, bias, stride, padding, dilation, transposed, extra, groups, wanted = mode.taken(args)
    held, site = mode.arithmetic, "aten.convolution_backward"
    axes = weight.dim() - 2
    stride, padding, dilation, extra = (_each(value, axes) for value in (stride, padding, dilation, extra))
    multiply = functools.partial(held.multiply, site)
    dx = dweight = dbias = None
    if wanted[0]:
        if transposed:
            dx = convolve(grad, weight, stride, [(each, each) for each in padding], dilation, groups, multiply)
        else:
            whole = [(size + 2 * pad - each * (tap - 1) - 1) % step
                     for size, pad, each, tap, step in zip(x.shape[2:], padding, dilation, weight.shape[2:], stride, strict=True)]  # fmt: skip
            dx = convolve_transposed(grad, weight, stride, padding, dilation, whole, groups, multiply)
        dx = held.round(dx, site, x.dtype)
    if wanted[1]:
        pair = (x, grad) if transposed else (grad, x)
        dweight = held.round(weight_gradient(*pair, weight.shape[2:], stride, padding, dilation, groups, multiply), site, weight.dtype)
    if wanted[2]:
        dbias = held.round(held.add_up(site, grad, [0, *range(2, grad.dim())]), site, grad.dtype)
    return dx, dweight, dbias


def _each(said: Sequence[int], axes: int) -> list[int]:
    return list(said) if len(said) == axes else list(said) * axes


def _batch_norm(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """Means over batch and places; running ones are old · (1 − momentum) + new · momentum, rounded once."""
    if "backward" in func._schema.name:
        return _point("aten.batch_norm_backward", mode, func, args, kwargs)
    given = dict(zip([each.name for each in func._schema.arguments], args, strict=False)) | kwargs
    x, weight, bias = (mode.taken(given.get(name)) for name in ("input", "weight", "bias"))
    m = mode.steps("batch_norm", x.dtype)
    shape, dims = [1, x.shape[1], *([1] * (x.dim() - 2))], [0, *range(2, x.dim())]
    kept, moving = given.get("running_mean"), given.get("running_var")
    if not given["training"]:
        rstd = m.point("rsqrt", steps._rsqrt, m.point("eps", aten.add.Scalar, mode.taken(moving).reshape(shape), given["eps"]))
        held = m.point("mul", aten.mul.Tensor, m.point("sub", aten.sub.Tensor, x, mode.taken(kept).reshape(shape)), rstd)
        return steps.affine(m, held, weight, bias, shape), x.new_zeros(0), x.new_zeros(0)
    held, mean, rstd, var = steps.normalise(m, x, dims, given["eps"])
    count, momentum = x.numel() // x.shape[1], given["momentum"]
    for target, new, factor in ((kept, mean, 1.0), (moving, var, count / max(count - 1, 1))):
        if target is not None:
            made = mode.taken(target).to(torch.float64) * (1 - momentum) + new.reshape(-1).to(torch.float64) * (factor * momentum)
            _written(mode, target, mode.arithmetic.round(made, "aten.batch_norm", target.dtype))
    return steps.affine(m, held, weight, bias, shape), m.out(mean).reshape(-1), m.out(rstd).reshape(-1)


def fast_format(working: str) -> bool:
    """The fast speed's theorem covers this format."""
    return narrow(float_spec(working))
