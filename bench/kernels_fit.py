"""Fits the constants of kernels.toml again from the measured tables of aiconfigurator-core 0.12.0 and prints them as TOML, with the error of rows that no
fit saw. Not a claim: this is how the sheet's numbers are made. `python bench/kernels_fit.py > fits.toml`"""

import sys

import numpy as np

from thrifty.cost.kernels.fitting import fit, predict, split_rows
from thrifty.cost.kernels.measured import measured_attention, measured_gemm
from thrifty.hardware import load

DONORS = ("a100-80gb", "l40s", "h100-sxm5", "b200", "rtx-pro-6000-server")
FORMATS = {"a100-80gb": ("bf16",), "l40s": ("bf16", "fp8_e4m3"), "h100-sxm5": ("bf16", "fp8_e4m3"), "b200": ("bf16", "fp8_e4m3", "nvfp4"),
           "rtx-pro-6000-server": ("bf16", "fp8_e4m3", "nvfp4")}  # fmt: skip
SHOWN = {"launch": ("us", 1e6), "tile": ("us", 1e6), "split": ("us", 1e6), "step": ("ns", 1e9), "score": ("ps", 1e12), "unit_bandwidth": ("GB/s", 1e-9),
         "resident": ("MB", 1e-6)}  # fmt: skip

for donor in DONORS:
    device = load(donor)
    kernels = {f"gemm.{device.runs_in(name)}": measured_gemm(donor, name) for name in FORMATS[donor]}
    kernels |= {kind: measured_attention(donor, kind) for kind in ("prefill", "decode")}
    for kernel, rows in kernels.items():
        seen, unseen = split_rows(rows)
        shares = fit([(device, seen)])
        error = float(np.abs(predict(device, unseen, shares) / unseen.seconds_R - 1).mean())
        print(f"\n[fit.{donor}.{kernel}]")
        print(f'shared = {{ where = "{len(seen.seconds_R)} of {len(rows.seconds_R)} rows, drawn at random; the others: {error:.1%} mean absolute error" }}')
        for name, value in shares.items():
            unit, factor = SHOWN.get(name, ("dimensionless", 1.0))
            print(f'{name} = {{ value = {value * factor:.4g}, unit = "{unit}" }}')
        print(donor, kernel, f"{error:.1%}", file=sys.stderr, flush=True)
