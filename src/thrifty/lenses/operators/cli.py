"""The commands of this lens: `thrifty operators show`, `sequence`, `roofline`, `temporal`, `map`, `compare`, `paper`, `budget`, and those of `running`.

They parse, look and print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from thrifty.errors import BadValue
from thrifty.lenses.operators.commands import running
from thrifty.lenses.operators.commands.options import DEVICE, Attention, Captured, Format, Json, Name, On, Phase, Preset, Sizes, Where, subject_of
from thrifty.printing import make_table, print_json, print_parts
from thrifty.quantities import show as write
from thrifty.report import made_now

app = typer.Typer(no_args_is_help=True, help="What dominates: operators, attention, sequences and rooflines of models and whole pipelines.")


def is_trace(name: str) -> bool:
    """Whether a name is that of a profiler's trace file rather than of a model's config.json."""
    path = Path(name)
    return name.lower().endswith((".json", ".json.gz", ".trace")) and path.name != "config.json" and not path.is_dir()


@app.command("show")
def show(
    workload: Name, on: On = None, sizes: Sizes = None, preset: Preset = None, phase: Phase = None, number_format: Format = None,
    attention: Attention = None, by: Annotated[str, typer.Option(metavar="WAY", help="class, operator, module, stage or attention.")] = "class",
    depth: Annotated[int, typer.Option(metavar="N", help="Names of a module path that --by module keeps.")] = 2, site: Where = None,
    captured: Captured = False, out: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Who takes what: FLOPs and bytes, and on a device time, energy and carbon, by operator class, module, stage or kind of attention."""
    if is_trace(workload):
        running.trace(Path(workload), as_json=as_json)
        return
    from thrifty.lenses.operators.finding import look
    from thrifty.lenses.operators.page import group_table, page_of, summary
    from thrifty.lenses.operators.views.grouping import WAYS
    from thrifty.report import to_terminal, write_html
    from thrifty.report.blocks import Page, Section

    if by not in WAYS:
        raise BadValue(f"by='{by}' is none of {', '.join(WAYS)}. Choose one of them.")
    if depth < 1:
        raise BadValue(f"depth={depth} is below 1. Choose a whole number from 1 up.")
    subject = subject_of(workload, sizes, preset, phase, number_format, on=on, site=site, attention=attention, captured=captured)
    finding = look(subject, depth=depth)
    words = ["thrifty operators show", workload, *(f"--set {text}" for text in sizes or ())]
    chosen = {"on": on, "preset": preset, "phase": phase, "format": number_format, "attention": attention, "site": site}
    words += [f"--{key} {value}" for key, value in chosen.items() if value]
    command, made = " ".join(words), made_now()
    if out is not None:
        write_html(page_of(finding, command=command, generated=made), out)
    if as_json:
        print_json(finding.to_dict())
        return
    work = finding.subject.workload
    point = ", ".join(f"{key} {value}" for key, value in work.point.items())
    block = group_table(finding.by[by], by, f"By {by}, all repeats counted")
    title = f"{work.name}, {work.format}{', ' + point if point else ''}"
    shown = Page(title=title, summary=summary(finding), sections=[Section(f"By {by}", [block])], command=command)
    total = work.table.totals()
    said = f"{work.parameters:,} parameters, {write(total['flops_matrix'], 'FLOP')}, {write(total['bytes_read'] + total['bytes_written'], 'B')} moved"
    print_parts(to_terminal(shown), said + (f"; page: {out}" if out is not None else ""), *work.notes)


@app.command("sequence")
def sequence(
    workload: Name, sizes: Sizes = None, preset: Preset = None, phase: Phase = None, captured: Captured = False, as_json: Json = False
) -> None:  # fmt: skip
    """The lengths that attention meets through a run, how often each, and how they grow with the sizes."""
    from thrifty.lenses.operators.views.scaling import length_scaling
    from thrifty.lenses.operators.views.sequences import attention_calls, histogram, neighbour_ratio
    from thrifty.lenses.operators.views.similarity import similarity

    subject = subject_of(workload, sizes, preset, phase, captured=captured)
    table = subject.workload.table
    calls, counts = list(attention_calls(table)), histogram(table)
    grown = length_scaling(subject)
    said = {
        "workload": subject.workload.name, "point": dict(subject.workload.point), "calls": [[c.seq_q, c.seq_k, c.repeats] for c in calls],
        "kinds": [c.kind for c in calls], "stages": [c.stage for c in calls], "histogram": {str(length): count for length, count in counts.items()},
        "neighbour_ratio": neighbour_ratio(table), "similarity": similarity(table, subject.workload.format).to_dict(),
        "scaling": [row.to_dict() for row in grown],
    }  # fmt: skip
    if as_json:
        print_json(said)
        return
    parts: list[Any] = [
        f"{subject.workload.name}: {sum(c.repeats for c in calls):,} calls of attention in a run",
        make_table("queries", "calls", rows=[(f"{length:,}", f"{count:,}") for length, count in counts.items()]),
    ]
    if said["neighbour_ratio"]:
        parts.append(f"neighbouring lengths differ by up to {said['neighbour_ratio']:.3g} times")
    if grown:
        parts.append(make_table("size", "longest", "scores of the largest call", "all scores once", rows=[row.cells() for row in grown]))
    print_parts(*parts)


@app.command("roofline")
def roofline(
    workload: Name, on: On = DEVICE, sizes: Sizes = None, preset: Preset = None, phase: Phase = None, number_format: Format = None,
    attention: Attention = None, captured: Captured = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Work per byte, three ways, under a device's roof; and whether each stage is like an LLM's prefill or decode, and at which batch that flips."""
    from thrifty.lenses.operators.finding import look

    finding = look(subject_of(workload, sizes, preset, phase, number_format, on=on or DEVICE, attention=attention, captured=captured), by=("class",))
    device = finding.subject.device
    assert device is not None
    form = finding.subject.workload.format
    said = {
        "workload": finding.subject.workload.name, "on": device.name, "truth": "modelled", "peak_flops": device.peak(form),
        "bandwidth_bytes_per_s": device.bandwidth_bytes_per_s, "ridge": device.peak(form) / device.bandwidth_bytes_per_s,
        "intensity": finding.intensity.to_dict(), "stages": [stage.to_dict() for stage in finding.stages],
        "classes": {
            g.name: {
                "ai_alg": g.flops_matrix / g.bytes_moved if g.bytes_moved else None, "flops_per_s": g.flops_matrix / g.time_s if g.time_s else None,
                "share": g.share,
            }
            for g in finding.by["class"]
        },
    }  # fmt: skip
    if as_json:
        print_json(said)
        return
    rows = []
    for stage in finding.stages:
        each, found = stage.intensity, stage.verdict
        assert found is not None
        rows.append(
            (
                stage.stage.name, f"{stage.stage.repeat:,}", *(f"{v:.3g}" if v is not None else "–" for v in (each.capacity, each.algorithmic, each.dram)),
                f"{found.reuse:.4g}", f"{found.q_over_k:.3g}" if found.q_over_k is not None else "–", found.likeness,
                str(found.flip_batch) if found.flip_batch else "never" + (f" (tends to {found.ai_limit:.3g})" if found.ai_limit else ""),
            )
        )  # fmt: skip
    print_parts(
        f"{said['workload']} on {device.title}: ridge {said['ridge']:.3g} FLOP/B in {device.runs_in(form)}",
        make_table("stage", "repeats", "AI cap", "AI alg", "AI dram", "reuse", "q/k", "like", "bound by compute from batch", rows=rows),
    )  # fmt: skip


@app.command("temporal")
def temporal(
    workload: Name = "unet3d", on: On = DEVICE, sizes: Sizes = None, preset: Preset = None, number_format: Format = None, attention: Attention = None,
    captured: Captured = False, as_json: Json = False,
) -> None:  # fmt: skip
    """Attention over frames against attention over space: time, FLOPs, bytes, and the number of frames at which the work crosses."""
    from thrifty.lenses.operators.views.temporal import temporal_study

    subject = subject_of(workload, sizes, preset, None, number_format, on=on or DEVICE, attention=attention, captured=captured)
    study = temporal_study(subject)
    if as_json:
        print_json({"workload": subject.workload.name, "on": (on or DEVICE), "attention_form": subject.form, "truth": "modelled", **study.to_dict()})
        return
    rows = [
        (g.name, f"{g.calls:,}", write(g.flops_matrix, "FLOP"), write(g.bytes_moved, "B"), write(g.time_s, "s"), f"{g.flops_matrix / g.bytes_moved:.3g}")
        for g in (study.spatial, study.temporal)
    ]
    print_parts(
        f"{subject.workload.name}, {study.frames or '?'} frames, attention {subject.form}, on {on or DEVICE} (modelled)",
        make_table("attention", "calls", "FLOPs", "moved", "time", "FLOP/B", rows=rows),
        f"temporal takes {study.share_of_attention_time or 0:.0%} of the two's time with {1 / study.flops_ratio:.3g} of spatial's FLOPs"
        + (f"; its work overtakes at {study.crossing_frames} frames" if study.crossing_frames else ""),
    )  # fmt: skip


@app.command("map")
def map_command(
    workload: Name, on: On = DEVICE, sizes: Sizes = None, preset: Preset = None, number_format: Format = None, attention: Attention = None,
    across: Annotated[str | None, typer.Option(metavar="NAME=A,B,..", help="Size from left to right. [default: the side of the image]")] = None,
    down: Annotated[str, typer.Option(metavar="NAME=A,B,..", help="Size from top to bottom.")] = "batch=1,2,4,8,16,32", as_json: Json = False,
) -> None:  # fmt: skip
    """Which class takes most time, and what bounds the whole, over two sizes."""
    from thrifty.lenses.operators.views.maps import bottleneck_map

    subject = subject_of(workload, sizes, preset, None, number_format, on=on or DEVICE, attention=attention)
    x, xs = _axis(across) if across is not None else (None, ())
    y, ys = _axis(down)
    found = bottleneck_map(subject, x, xs, y, ys)
    if as_json:
        print_json({"workload": subject.workload.name, "on": on or DEVICE, "truth": "modelled", **found.to_dict()})
        return
    width = len(found.xs)
    rows = []
    for place, value in enumerate(found.ys):
        cells = found.cells[place * width : (place + 1) * width]
        rows.append((str(value), *(f"{c.top} {c.top_share:.0%} {c.bound[0]}" for c in cells)))
    print_parts(
        f"{subject.workload.name} on {on or DEVICE} (modelled): the class that takes most, its share, and what bounds it (c compute, m memory, o overhead)",
        make_table(f"{found.y} \\ {found.x}", *(str(value) for value in found.xs), rows=rows),
    )  # fmt: skip


def _axis(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, values = text.partition("=")
    try:
        numbers = tuple(int(value) for value in values.split(","))
    except ValueError:
        numbers = ()
    if not (equals and name.strip() and numbers) or min(numbers) < 1:
        raise BadValue(f"'{text}' is no range of sizes. Write name=a,b,c in whole numbers, e.g. latent=32,64,128.")
    return name.strip(), numbers


@app.command("compare")
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A workload.")], b: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    on: On = DEVICE, attention: Attention = None, number_format: Format = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Two workloads side by side on one device."""
    from thrifty.lenses.operators.comparing import compare_subjects

    found = compare_subjects(*(subject_of(name, None, None, None, number_format, on=on or DEVICE, attention=attention) for name in (a, b)))
    if as_json:
        print_json({"on": on or DEVICE, "truth": "modelled", **found.to_dict()})
        return
    rows: list[tuple[str, ...]] = [
        (label, write(getattr(found.a, key), unit), write(getattr(found.b, key), unit), f"{found.ratios[key]:.3g}" if found.ratios[key] is not None else "–")
        for label, key, unit in (
            ("parameters", "parameters", ""), ("matrix FLOPs", "flops_matrix", "FLOP"), ("moved", "bytes_moved", "B"), ("time", "time_s", "s"),
            ("energy", "energy_j", "J"), ("fused attention, end to end", "fused_gain", ""), ("fused attention, core", "attention_gain", ""),
        )
    ]  # fmt: skip
    classes = list(dict.fromkeys([*found.a.shares, *found.b.shares]))
    rows += [(f"share of {name}", f"{found.a.shares.get(name, 0):.1%}", f"{found.b.shares.get(name, 0):.1%}", "") for name in classes]
    rows.append(("like an LLM's", *(", ".join(f"{k} {v}" for k, v in side.likeness.items()) for side in (found.a, found.b)), ""))
    print_parts(f"on {on or DEVICE} (modelled)", make_table("", found.a.name, found.b.name, "A / B", rows=rows))


@app.command("paper")
def paper(
    on: Annotated[str, typer.Option("--on", metavar="DEVICE", help="Price everything there.")] = DEVICE,
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Where the page goes.")] = Path("thrifty-operators-paper.html"), as_json: Json = False,
) -> None:  # fmt: skip
    """Every figure and table of "Generative AI Beyond LLMs" made afresh, published numbers beside ours, on one page."""
    from thrifty.lenses.operators.paper import make_report
    from thrifty.progress import showing
    from thrifty.report import write_html

    with showing() as progress:
        found = make_report(on, progress)
        write_html(found.page, out)
    if as_json:
        print_json({**found.to_dict(), "page": str(out)})
        return
    rows = [("yes" if c.holds else "no", c.sentence, f"{c.published.value:g}", f"{c.ours:.3g}", c.said) for c in found.claims]
    table = make_table("holds", "the abstract says", "published", "ours", "in words", rows=rows)
    print_parts(table, f"{len(found.rows)} systems in {found.seconds:.1f} s: {out}")


@app.command("budget")
def budget(file: Annotated[Path, typer.Argument(metavar="FILE", help="A .toml file of [[budget]] tables.")], as_json: Json = False) -> None:
    """Check assertions such as "attention share < 40 %" in a file; exit code 1 where one does not hold."""
    from thrifty.lenses.operators.budgets import check_budgets

    kept = check_budgets(file)
    if as_json:
        print_json({"holds": all(one.holds for one in kept), "expectations": [one.to_dict() for one in kept]})
    else:
        print_parts(make_table("", "workload", "expected", "found", rows=[
            ("ok" if one.holds else "BROKEN", one.workload, one.expectation, f"{one.found:.4g}") for one in kept
        ]))  # fmt: skip
    if not all(one.holds for one in kept):
        raise typer.Exit(1)


for name in ("measure", "kernels", "cache", "trace", "counters"):
    app.command(name)(getattr(running, name))
