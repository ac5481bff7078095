"""`thrifty numerics attention`: how far a Flash kernel deviates from attention written out, step by step as a policy rounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thrifty.errors import BadValue
from thrifty.printing import command_line

if TYPE_CHECKING:
    from thrifty.lenses.numerics.inputs import Inputs


def attention_(
    policy: Annotated[str, typer.Option("--policy", metavar="NAME", help="Preset, or a .toml or .json file; --list shows them.")] = "fa_paper",
    baseline: Annotated[str, typer.Option("--baseline", metavar="NAME", help="What it is held against. [default: baseline_paper, in FP8 baseline_fp8]",
                                          show_default=False)] = "",
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="Working format: bf16, fp16, fp32, fp64, e4m3, …")] = "bf16",
    inputs: Annotated[str, typer.Option("--inputs", metavar="NAME", help="Distribution, FILE.npz with q, k, v, or smollm2:LAYER.")] = "uniform",
    seq: Annotated[int, typer.Option("--seq", metavar="N", help="Queries and keys.")] = 1024,
    seq_kv: Annotated[int | None, typer.Option("--seq-kv", metavar="N", help="Keys, if another number.", show_default=False)] = None,
    head_dim: Annotated[int, typer.Option("--head-dim", metavar="D", help="Head dimension.")] = 64,
    heads: Annotated[int, typer.Option("--heads", metavar="H", help="Heads of queries.")] = 1,
    kv_heads: Annotated[int | None, typer.Option("--kv-heads", metavar="H", help="Heads of keys and values, if fewer.", show_default=False)] = None,
    block_q: Annotated[int | None, typer.Option("--block-q", metavar="N", help="Queries of a tile. [default: by the paper's rule]", show_default=False)] = None,
    block_k: Annotated[int | None, typer.Option("--block-k", metavar="N", help="Keys of a tile. [default: by the paper's rule]", show_default=False)] = None,
    sram: Annotated[int | None, typer.Option("--sram", metavar="M", help="Elements of fast memory, for that rule. [default: 98304, an A100's]",
                                             show_default=False)] = None,
    causal: Annotated[bool, typer.Option("--causal", help="Later keys are not seen.")] = False,
    window: Annotated[int | None, typer.Option("--window", metavar="W", help="Keys further away than W places are not seen.", show_default=False)] = None,
    alibi: Annotated[bool, typer.Option("--alibi", help="Distance is taken off scores with ALiBi's slopes.")] = False,
    splits: Annotated[int | None, typer.Option("--splits", metavar="K", help="Keys in K parts, joined at the end.", show_default=False)] = None,
    split_size: Annotated[int | None, typer.Option("--split-size", metavar="N", help="Keys in parts of N.", show_default=False)] = None,
    golden: Annotated[str, typer.Option("--golden", metavar="KIND", help="Golden of inputs as they are 'rounded', or as 'given'.")] = "rounded",
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="SITE=RULE", help="Change the policy: o.store=fp32, l.acc=sequential:bf16, "
                                                      "option.kv_order=reverse. Repeatable.", show_default=False)] = None,
    sweep: Annotated[str, typer.Option("--sweep", metavar="AXES", help="A grid: format,seq,block_k,inputs, with points as block_k=16:64.",
                                       show_default=False)] = "",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of inputs and of what draws.")] = 0,
    listing: Annotated[bool, typer.Option("--list", help="Show policies, sites, sums, options and inputs.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """Attention with every step rounded by a policy, against its baseline and golden: deviation, bias, rescales, underflows."""
    from thrifty.lenses.numerics.pages.attention import known, list_page, study_page, sweep_page
    from thrifty.lenses.numerics.policy import as_policy
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    if listing:
        command = command_line("thrifty", "numerics", "attention", list=True)
        give(lambda: list_page(command=command, generated=made_now()), known, out, as_json)
        return
    said = as_policy(policy).override(*(changes or []))
    shared: dict[str, Any] = {
        "block_q": block_q, "sram": sram, "causal": causal, "window": window, "alibi": alibi or None, "splits": splits, "split_size": split_size,
        "golden": golden,
    }  # fmt: skip
    words = {
        "policy": policy, "baseline": baseline, "format": format, "inputs": inputs, "seq": seq, "seq_kv": seq_kv, "head_dim": head_dim, "heads": heads,
        "kv_heads": kv_heads, "block_q": block_q, "block_k": block_k, "sram": sram, "causal": causal, "window": window, "alibi": alibi, "splits": splits,
        "split_size": split_size, "golden": golden, "set": changes or None, "sweep": sweep, "seed": str(seed),
    }  # fmt: skip
    command = command_line("thrifty", "numerics", "attention", **words)
    with showing() as progress:
        if sweep:
            from thrifty.lenses.numerics.laboratory.sweeps import read_axes
            from thrifty.lenses.numerics.laboratory.sweeps import sweep as swept

            if ":" in inputs or inputs.endswith(".npz") or seq_kv is not None:
                raise BadValue(f"a sweep draws its inputs; inputs='{inputs}' and --seq-kv are for one study. Name a distribution.")
            made = swept(
                read_axes(sweep), policy=said, baseline=baseline or None, format=format, seq=seq, head_dim=head_dim, heads=heads, kv_heads=kv_heads,
                inputs=inputs, seed=seed, block_k=block_k, progress=progress, **shared,
            )  # fmt: skip
            give(lambda: sweep_page(made, command=command, generated=made_now()), lambda: {**made.to_dict(), "command": command}, out, as_json,
                 drawn=("curves",))  # fmt: skip
            return
        from thrifty.lenses.numerics.laboratory.study import study

        progress("attention", 0.0)
        held = _inputs(inputs, seq=seq, seq_kv=seq_kv, head_dim=head_dim, heads=heads, kv_heads=kv_heads, seed=seed)
        found = study(held, policy=said, baseline=baseline or None, format=format, block_k=block_k, seed=seed, **shared)
    give(lambda: study_page(found, command=command, generated=made_now()), lambda: {**found.to_dict(), "command": command}, out, as_json, drawn=("where",))


def _inputs(text: str, *, seq: int, **sizes: Any) -> Inputs:
    from thrifty.lenses.numerics.inputs import capture, draw, read_inputs

    if text.endswith(".npz"):
        return read_inputs(text)
    model, colon, layer = text.partition(":")
    if not colon:
        return draw(text, seq=seq, **sizes)
    if model != "smollm2" or not layer.isascii() or not layer.isdigit():
        raise BadValue(f"inputs='{text}' is unknown. Write smollm2:LAYER with a layer from 0 on, a distribution (--list), or FILE.npz.")
    return capture(int(layer), seq)
