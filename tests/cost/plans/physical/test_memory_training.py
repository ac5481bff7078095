"""The account beside a real training run: DDP and FSDP in torch, gloo between processes on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thrifty.cost.plans.models.shapes import Transformer
from thrifty.cost.plans.physical.memory import account
from thrifty.cost.plans.physical.memory_batched import HEAD_KEPT, PER_MICRO, TERMS, encode_constants, encode_layers, encode_plan, memory_terms
from thrifty.cost.plans.placing import Placed, place
from thrifty.cost.plans.plan import Plan
from thrifty.hardware import load_system

SIZES = {"layers": 3, "hidden": 64, "heads": 4, "ffn": 256, "seq": 128, "vocab": 512, "batch": 4}
GPT = Transformer(
    name="gpt", layers=3, hidden=64, heads=4, seq=128, ffn=256, vocab=512, positions=True, tied=False, biases=True, format="fp32",
)  # fmt: skip
PATIENCE_S = 120


def run(ranks: int, folder: Path) -> list[dict[str, dict[str, int]]]:
    """What every rank found. A rank that fails or hangs takes the others with it, and the test says what it wrote."""
    script, outs = Path(__file__).with_name("training_run.py"), [folder / f"{rank}.json" for rank in range(ranks)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(ranks), str(folder / "store"), str(outs[rank]), json.dumps(SIZES)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) for rank in range(ranks)
    ]  # fmt: skip
    said = []
    try:
        for process in processes:
            said.append(process.communicate(timeout=PATIENCE_S)[0])
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
    assert all(process.returncode == 0 for process in processes), "\n".join(said)
    return [json.loads(out.read_text(encoding="utf-8")) for out in outs]


def kept_bytes(placed: Placed) -> float:
    """Of the account's activations what is kept between forward and backward, without the gradients of the backward pass."""
    encoded, (degrees, options), terms = encode_layers(placed.layers, placed.task), encode_plan(placed), np.empty((1, TERMS))
    memory_terms(encoded.pieces_PI, encoded.blocks_BF, degrees, options, encode_constants(), terms)
    return float(placed.micro_batch * (terms[0, PER_MICRO] + terms[0, HEAD_KEPT]))


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_peer_a_training_run_of_torch_holds_what_the_account_says(ranks: int, tmp_path: Path) -> None:
    """States are equal to the byte on every rank, under DDP and FSDP; activations within 3 % (statistics of norms and of attention are not counted)."""
    pytest.importorskip("torch")
    layers, system = GPT.to_layers(), load_system("hgx-b200").sized(ranks)
    found = run(ranks, tmp_path)
    assert len(found) == ranks
    for strategy in ("ddp", "fsdp"):
        placed = place(Plan.parse(f"dense={strategy}"), layers, system, batch=SIZES["batch"] * ranks)
        memory = account(placed)
        for rank in found:
            measured = rank[strategy]
            assert (measured["weights"], measured["gradients"], measured["optimizer"]) == (memory.weights, memory.gradients, memory.optimizer)
            assert kept_bytes(placed) == pytest.approx(measured["activations"], rel=0.03)
            assert kept_bytes(placed) < memory.activations
            if strategy == "ddp":
                assert measured["buckets"] == memory.buffers
            else:
                assert 0 < measured["whole"] <= memory.buffers
