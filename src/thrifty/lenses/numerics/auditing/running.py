"""`audit`: a function or module in FP64, under a policy, beside a baseline; and every site alone. Imports torch."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch

from thrifty.errors import BadValue, ThriftyError, unknown_name
from thrifty.formats import Rounding, float_spec
from thrifty.lenses.numerics.auditing.finding import AuditFinding, SiteShare
from thrifty.lenses.numerics.auditing.mode import Emulation
from thrifty.lenses.numerics.auditing.numbers.rounding import round_tensor
from thrifty.lenses.numerics.auditing.numbers.values import float_tensors
from thrifty.lenses.numerics.auditing.recording import Golden, Recorder
from thrifty.lenses.numerics.deviations import Deviation, deviation
from thrifty.lenses.numerics.policy import Policy, Rule
from thrifty.lenses.numerics.policy.operators import LIST, STEPS
from thrifty.progress import Progress

FP64: Final = Rule(format="fp64")
EXACT: Final = Policy(name="golden", sites={"*": FP64}, accumulators={"*": "fma:fp64"})
"""Nothing is rounded but to FP64; sums in order, so that golden is the same on every machine."""


class Subject:
    """Something to call: a function, or a module in FP64 whose weights are rounded as what comes in is."""

    def __init__(self, given: Any, entering: Rounding, name: str = "") -> None:
        if not callable(given):
            raise BadValue(f"subject {given!r} cannot be called. Give a function, a module, or a pair of them.")
        self.name = name or getattr(given, "__name__", "") or type(given).__name__
        self.module: torch.nn.Module | None = None
        self.call: Callable[..., Any] = given
        if isinstance(given, torch.nn.Module):
            self.module = copy.deepcopy(given).double()
            with torch.no_grad():
                for each in [*self.module.parameters(), *self.module.buffers()]:
                    if each.is_floating_point():
                        each.copy_(round_tensor(each, entering, torch.float64))
            self.call = self.module

    def run(self, policy: Policy, working: str, fused: Sequence[str], seed: int, args: Any, kwargs: Any, watch: Any = None,
            widest: bool = False) -> list[torch.Tensor]:  # fmt: skip
        """Outputs in FP64; its own weights, buffers and random numbers are as before afterwards. widest: its own casts are not done."""
        kept = None if self.module is None else {name: each.clone() for name, each in self.module.state_dict().items()}
        operators = [name for name in fused if name in STEPS]
        mode = Emulation(policy, working, fused=operators, speed="exact", seed=seed, watch=watch, widest=widest)
        for name in fused:
            if name not in STEPS:
                mode.fuse(self._part(name), name)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                with mode:
                    made = self.call(*copied(args), **copied(kwargs))
        except ThriftyError:
            raise
        except (Exception, SystemExit) as why:
            said = (str(why).splitlines() or ["no message"])[0]
            raise BadValue(f"{self.name} raised {type(why).__name__}: {said}. It is called with FP64 tensors.") from why
        finally:
            mode.close()
            if kept is not None and self.module is not None:
                self.module.load_state_dict(kept)
        found = outputs_of(made)
        if not found:
            raise BadValue(f"{self.name} gave no floating tensor. Return a tensor, or a tuple, list or dict of tensors.")
        return [each.detach().to(torch.float64) for each in found]

    def _part(self, name: str) -> torch.nn.Module:
        parts = {} if self.module is None else dict(self.module.named_modules())
        if name not in parts or not name:
            raise unknown_name("operator or module to fuse", name, [*STEPS, *(part for part in parts if part)], LIST)
        return parts[name]


def audit(
    subject: Any, inputs: Any, policy: Policy, format: str, *, baseline: Any = None, baseline_policy: Policy | None = None, fused: Sequence[str] = (),
    seed: int = 0, contributions: bool = True, names: tuple[str, str] = ("", ""), progress: Progress | None = None,
) -> AuditFinding:  # fmt: skip
    """See `thrifty.numerics.audit`."""
    working = float_spec(format).name
    if isinstance(subject, tuple | list):
        if len(subject) != 2 or baseline is not None:
            raise BadValue(f"subject is a {type(subject).__name__} of {len(subject)}; a pair is (optimised, baseline), without baseline= beside it.")
        subject, baseline = subject
    entering = policy.rounding("in", working, seed)
    ours = Subject(subject, entering, names[0])
    other = None if baseline is None else Subject(baseline, entering, names[1])
    args, kwargs, said = taken(inputs, entering)
    tell = progress or (lambda what, share: None)
    tell("golden: FP64", 0.0)
    kept = Golden()
    mine_golden = ours.run(EXACT, "fp64", fused, seed, args, kwargs, kept, widest=True)
    golden = mine_golden if other is None else other.run(EXACT, "fp64", (), seed, args, kwargs, widest=True)
    tell(f"policy: {policy.name}", 0.1)
    recorder = Recorder(kept)
    found = ours.run(policy, working, fused, seed, args, kwargs, recorder)
    against = None if other is None else other.run(baseline_policy or policy, working, (), seed, args, kwargs)
    shapes = [[tuple(each.shape) for each in run] for run in (found, golden, *([against] if against is not None else []))]
    if any(each != shapes[0] for each in shapes):
        raise BadValue(f"outputs differ in shape: {', '.join(map(str, shapes))}. Optimised and baseline must compute the same.")
    golden_is = f"{(other or ours).name} in FP64 on the same inputs, rounded to {entering.spec.name} first"
    pair = (ours.name, other.name if other is not None else "baseline")
    outputs = tuple(
        deviation(found[place].numpy(), None if against is None else against[place].numpy(), golden[place].numpy(), format=working, names=pair,
                  golden_is=golden_is) for place in range(len(found)) if found[place].numel()
    )  # fmt: skip
    if not outputs:
        raise BadValue(f"{ours.name} gave tensors without elements, so nothing deviates. Give larger inputs.")
    sites = _alone(ours, recorder, policy, working, fused, seed, args, kwargs, mine_golden, tell) if contributions else ()
    return AuditFinding(
        subject=ours.name, baseline=other.name if other is not None else "", policy=policy.name, policy_hash=policy.hash(working), format=working,
        fused=tuple(fused), seed=seed, golden=golden_is, inputs=said, outputs=outputs, calls=tuple(recorder.calls), sites=sites,
        notes=_notes(recorder, mine_golden, golden, other is not None, outputs),
    )  # fmt: skip


def _alone(
    subject: Subject, recorder: Recorder, policy: Policy, working: str, fused: Sequence[str], seed: int, args: Any, kwargs: Any,
    golden: list[torch.Tensor], tell: Progress,
) -> tuple[SiteShare, ...]:  # fmt: skip
    """Every site alone under the policy, all others in FP64."""
    counts = Counter(call.site for call in recorder.calls)
    found = []
    for place, (site, calls) in enumerate(counts.items()):
        tell(f"each site alone: {site}", 0.2 + 0.8 * place / len(counts))
        rule, how = policy.rule(site), policy.accumulator(f"{site}.acc", working)
        rule = replace(rule, format=working) if rule.format == "dt" else rule
        sums = how if _sums(site) else ""
        one = Policy(name=f"{site} alone", sites={"*": FP64, site: rule}, accumulators={"*": "fma:fp64", f"{site}.acc": how})
        made = subject.run(one, "fp64", fused, seed, args, kwargs, widest=True)
        gaps = [_gap(a, b) for a, b in zip(made, golden, strict=True) if a.numel()]
        rms = float(np.sqrt(np.mean([each[1] ** 2 for each in gaps])))
        found.append(SiteShare(site=site, calls=calls, rule=rule.write(), accumulator=sums, alone_max=max(each[0] for each in gaps), alone_rms=rms, share=0.0))
    total = sum(each.alone_rms**2 for each in found) or 1.0
    return tuple(sorted((replace(each, share=each.alone_rms**2 / total) for each in found), key=lambda each: -each.share))


def _sums(site: str) -> bool:
    """A site at which something is added up."""
    name = site.split(".")
    products = ("mm", "bmm", "mv", "dot", "addmm", "baddbmm", "addmv", "convolution", "convolution_backward", "sum", "mean", "linalg_vector_norm", "var",
                "nll_loss_forward")  # fmt: skip
    return (name[-1] if len(name) < 3 else f".{name[2]}") in (*products, ".sum", ".dot", ".mean", ".var", ".s", ".out", ".dq", ".dk", ".dv", ".dp", ".dsum")


def _gap(a: torch.Tensor, b: torch.Tensor) -> tuple[float, float]:
    kept = a.isfinite() & b.isfinite()
    gap = (a - b)[kept]
    return (float(gap.abs().max()), float(gap.square().mean().sqrt())) if gap.numel() else (0.0, 0.0)


def _notes(recorder: Recorder, mine: list[torch.Tensor], golden: list[torch.Tensor], paired: bool, outputs: Sequence[Deviation]) -> tuple[str, ...]:
    notes = []
    if not recorder.same_path:
        notes.append("under the policy the subject ran other operators than in FP64 (its path depends on values), so calls after that have no distance")
    elif any(each is None for _, each in recorder.golden.results):
        notes.append("golden results of later calls were too many to keep, so these calls have no distance")
    if paired:
        gap = max((_gap(a, b)[0] for a, b in zip(mine, golden, strict=True)), default=0.0)
        notes.append(f"in FP64 the optimised function and its baseline differ by at most {gap:.3g}")
        level = max((float(each.abs()[each.isfinite()].max()) if each.isfinite().any() else 0.0 for each in golden), default=0.0)
        if gap > 1e-6 * max(level, 1e-300):
            notes.append("that is more than rounding: they may not compute the same function")
    return tuple(notes)


def outputs_of(made: Any) -> list[torch.Tensor]:
    """Floating tensors of what a function gave, in order."""
    if isinstance(made, Mapping):
        made = list(made.values())
    elif hasattr(made, "to_tuple"):
        made = list(made.to_tuple())
    return float_tensors(made if isinstance(made, list | tuple) else [made])


def taken(inputs: Any, entering: Rounding) -> tuple[list[Any], dict[str, Any], dict[str, str]]:
    """Positional and named inputs as FP64 tensors, rounded as what comes in; and what to say of them."""
    args, kwargs = ([], dict(inputs)) if isinstance(inputs, Mapping) else (list(inputs) if isinstance(inputs, tuple | list) else [inputs], {})
    args, kwargs = [_one(each, entering) for each in args], {name: _one(each, entering) for name, each in kwargs.items()}
    named = {**{str(place): each for place, each in enumerate(args)}, **kwargs}
    return args, kwargs, {name: f"{list(each.shape)}, {str(each.dtype).removeprefix('torch.')}" if isinstance(each, torch.Tensor) else repr(each)
                          for name, each in named.items()}  # fmt: skip


def _one(x: Any, entering: Rounding) -> Any:
    if isinstance(x, np.ndarray):
        if x.dtype.kind not in "fiub":
            raise BadValue(f"an input has dtype {x.dtype}; real numbers are needed.")
        x = torch.from_numpy(np.ascontiguousarray(x))
    if isinstance(x, torch.Tensor) and x.is_floating_point():
        return round_tensor(x.detach().to(torch.float64), entering, torch.float64).requires_grad_(x.requires_grad)
    return x


def copied(tree: Any) -> Any:
    """Inputs that a function may write to without harm."""
    if isinstance(tree, torch.Tensor):
        return tree.detach().clone().requires_grad_(tree.requires_grad)
    if isinstance(tree, dict):
        return {name: copied(each) for name, each in tree.items()}
    return type(tree)(copied(each) for each in tree) if isinstance(tree, list | tuple) else tree
