"""The main job as a list of steps; `assess` at the end reads like its table of contents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from thrifty.assessment.result import SEED, Assessment
from thrifty.assessment.side_by_side import class_errors, errors, modelled_rates
from thrifty.cost import Case, Job, Sweep, sweep
from thrifty.cost.sustained import sustained_of
from thrifty.errors import BadValue, CaptureError, MissingExtra, NoRoom
from thrifty.formats import get_format
from thrifty.hardware import THIS_CUDA, THIS_MACHINE, Device, Site, device_names, load_site
from thrifty.hardware import load as load_device
from thrifty.lenses import Finding, all_lenses
from thrifty.levers import Estimate, Refusal, all_levers
from thrifty.measure import Run, calibrate, make_and_run
from thrifty.quantities import positive_int
from thrifty.workload import Workload
from thrifty.workload import load as load_workload

NEW_TOKENS: Final = 48
RUNNING, PRICING = 0.4, 0.9
"""Shares of the whole at which the run and the prices begin."""
ELSEWHERE_FORMAT: Final = "bf16"
SWEPT: Final = {"batch": (1, 2, 4, 8, 16, 32, 64, 128, 256), "seq": (1, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)}
HERE: Final = {THIS_MACHINE: "cpu", THIS_CUDA: "cuda"}
"""Devices that can really run the workload, and torch's names for them."""
Progress = Callable[[str, float], None]

def _stage(tell: Progress, name: str, start: float, end: float) -> Progress:
    """Progress of a part as progress of the whole, which never goes back."""
    return lambda what, share: tell(f"{name}{what}", start + (end - start) * min(max(share, 0.0), 1.0))


def _find_devices(on: Sequence[str] | str | None, tell: Progress) -> list[Device]:
    names = [on] if isinstance(on, str) else list(on or [THIS_MACHINE])
    calibrating = _stage(tell, "calibrating: ", 0.0, RUNNING)
    return [calibrate(progress=calibrating) if name == THIS_MACHINE else load_device(name) for name in names]


def _new_tokens(workload: Workload, point: Mapping[str, int]) -> int:
    """How many tokens are written: fewer than usual where a long prompt leaves less of the model's context, at least the one that prefill gives."""
    context = next((symbol.high for symbol in workload.symbols if symbol.name == "seq"), None)
    return NEW_TOKENS if context is None or "seq" not in point else max(1, min(NEW_TOKENS, context - point["seq"]))


def _run_here(workload: Workload, device: str, point: Mapping[str, int], format_name: str | None, tell: Progress) -> tuple[Run | None, str]:
    """What this machine measures on torch's `device`, or why it cannot."""
    try:
        running = _stage(tell, "", RUNNING, PRICING)
        tokens = _new_tokens(workload, point)
        return make_and_run(workload, point=point, format=format_name, device=device, new_tokens=tokens, seed=SEED, progress=running), ""
    except (NoRoom, MissingExtra, CaptureError) as reason:
        return None, str(reason)
    except BadValue as reason:
        if "no torch" not in str(reason):
            raise
        return None, str(reason)


def _captured_like(run: Run, workload: Workload) -> Workload:
    """The same workload as torch runs it here, in the format and at the sizes that ran."""
    from thrifty.workload.building import Blueprint, torch_source

    what: Blueprint | None = run.runnable.blueprint
    if what is None:
        return workload
    source = torch_source(what)
    made = replace(workload, source=source, symbols=source.symbols(workload.phase), origin="captured by torch")
    return made.at(run.point, format=run.runnable.format)


def _job_on(device: Device, workload: Workload, run: Run | None, format_name: str | None) -> Job:
    if run is not None and HERE.get(device.name) == run.runnable.device:
        return Job.of(_captured_like(run, workload), new_tokens=run.new_tokens or 1)
    wanted = format_name or ("fp32" if device.kind == "cpu" and "bf16" not in device.peak_flops else ELSEWHERE_FORMAT)
    point = dict(run.point) if run is not None else {}
    moved = _in_format(workload, point, wanted, chosen=format_name is not None) if workload.source is not None else workload
    return Job.of(moved, new_tokens=_new_tokens(moved, moved.point))


def _in_format(workload: Workload, point: Mapping[str, int], wanted: str, *, chosen: bool) -> Workload:
    """The workload at `point` in the format wanted; in its own where the format was nobody's choice and a user's module has only one."""
    try:
        return workload.at(point, format=wanted)
    except BadValue:
        if chosen:
            raise
        return workload.at(point)


def _elsewhere(job: Job, site: Site) -> list[Case]:
    found = []
    for name in device_names():
        device = load_device(name)
        try:
            case = Case(job=job, device=device, site=site)
            case.footprint  # noqa: B018 - priced here: a device without arithmetic for the format is left out
        except BadValue:
            continue
        found.append(case)
    return sorted(found, key=lambda case: (not case.fits, case.footprint.time_s))


def _sweep(case: Case, workload: Workload) -> Sweep | None:
    """Batch × sequence (or batch alone) of the job's first part, on the case's device, within the workload's range.

    By the tables of `workload` as it was named: a catalogue's family makes them in milliseconds, where a capture takes a second each.
    """
    if workload.source is None:
        return None
    workload = workload.at(case.job.point, format=case.job.format)
    grids = []
    for symbol in workload.symbols:
        values = [v for v in SWEPT.get(symbol.name, (symbol.default,)) if symbol.high is None or v <= symbol.high]
        grids.append(values)
    import numpy as np

    mesh = np.meshgrid(*grids, indexing="ij")
    return sweep(workload, [case.device], {s.name: m.ravel() for s, m in zip(workload.symbols, mesh, strict=True)})


def _findings(case: Case) -> dict[str, Finding]:
    """What each lens sees, by its question; a lens that has nothing to see in this case is left out."""
    found: dict[str, Finding] = {}
    for lens in all_lenses():
        try:
            found[lens.question] = lens.look(case)
        except BadValue:
            continue
    return found


def _estimates(case: Case) -> tuple[list[Estimate], list[Refusal]]:
    offers: list[Estimate] = []
    refusals: list[Refusal] = []
    for lever in all_levers():
        answer = lever.estimate(case)
        if isinstance(answer, Refusal):
            refusals.append(answer)
        else:
            offers.extend(answer)

    def gain(estimate: Estimate) -> float:
        """Geometric mean of what a unit saves in time, energy and carbon."""
        product = 1.0
        for what in ("time", "energy", "carbon"):
            product *= estimate.factor(what) or 1.0
        return float(product ** (1 / 3))

    return sorted(offers, key=gain, reverse=True), refusals


def assess(
    workload: str | Workload = "smollm2-135m", *, on: Sequence[str] | str | None = None, site: str | None = None, format: str | None = None,
    batch: object = None, seq: object = None, out: str | Path | None = None, progress: Progress | None = None,
) -> Assessment:  # fmt: skip
    """Run a workload here, price it here and elsewhere, and rank what would help most.

    on     : devices to price it on (default: this machine, where it is also really run); this machine leads wherever it is named
    site   : whose grid, building and prices count (default: the world's average)
    format : of the numbers (default: what really runs here; BF16 elsewhere)
    batch, seq : sizes (default: the workload's own; a language model with real weights answers fixed prompts)
    out    : folder for report.html, report.json and trace.json; None writes nothing
    Raises UnknownName, BadValue, BadFile or CannotWrite, each one line with rule, value and fix.
    """
    tell: Progress = progress or (lambda what, share: None)
    point = {name: positive_int(name, value) for name, value in (("batch", batch), ("seq", seq)) if value is not None}
    chosen = get_format(format).name if format is not None else None
    named = load_workload(workload) if isinstance(workload, str) else workload
    what = named.at(point) if point else named
    place = load_site(site or "world")
    devices = _find_devices(on, tell)
    here = next((d for d in devices if d.name in HERE), None)  # the first of them is the one that runs, and leads: measured stands beside modelled
    devices.sort(key=lambda device: device is not here)
    run, why_not = _run_here(what, HERE[here.name], point, chosen, tell) if here is not None else (None, "")
    tell("pricing", PRICING)
    cases = tuple(Case(job=_job_on(device, what, run, chosen), device=device, site=place) for device in devices)
    modelled = modelled_rates(cases[0])
    measured = run.to_dict() if run is not None else None
    sustained = sustained_of(here) if here is not None else None
    classes = [row for profile in run.profiles for row in class_errors(profile, sustained)] if run is not None and sustained is not None else []
    elsewhere = _elsewhere(_job_on(load_device("h100-sxm5"), what, run, chosen), place)
    estimates, refusals = _estimates(cases[0])
    command = " ".join(["thrifty assess", what.name, *(f"--on {d.name}" for d in devices), f"--site {place.name}",
                        *(f"--{k} {v}" for k, v in {**point, **({"format": chosen} if chosen else {})}.items())])  # fmt: skip
    assessment = Assessment(
        workload=what, cases=cases, run=run, why_not_run=why_not, measured=measured, modelled=modelled,
        error=errors(measured, modelled) if measured is not None else None, classes=tuple(classes), elsewhere=tuple(elsewhere), swept=_sweep(cases[0], what),
        estimates=tuple(estimates), refusals=tuple(refusals), findings=_findings(cases[0]), made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
    )  # fmt: skip
    if out is not None:
        from thrifty.assessment.outputs import write_outputs

        tell("writing the report", 0.97)
        files = {name: str(path) for name, path in write_outputs(assessment, Path(out)).items()}
        assessment = replace(assessment, files=files)
    tell("done", 1.0)
    return assessment
