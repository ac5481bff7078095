"""BF16 products: at most 10 % mean error on rows that no fit saw, and on GPUs that no fit saw, against the measured tables of aiconfigurator-core 0.12.0.

The rest is shown beside it, gate or not: narrower formats, attention, each framework's rows, and fits carried across families, which do not hold.
"""

from _claim import report
from thrifty.cost.kernels import validate_attention, validate_gemm

LIMIT = 0.10
ACROSS = (("a100-80gb", "h100-sxm5"), ("h100-sxm5", "b200"), ("b200", "h100-sxm5"), ("h100-sxm5", "a100-80gb"), ("rtx-pro-6000-server", "l40s"))


def shown(found):
    return {f"{r.device} ({r.use}, fit on {r.fitted_on})": {"mape": round(r.mape, 4), "spearman": round(r.spearman, 4), "rows": r.rows,
            **{name: round(error, 3) for name, error in r.baselines.items()}} for r in found.results}  # fmt: skip


products = validate_gemm()
result = {
    "mape_rows": products.mape_rows, "mape_device": products.mape_device, "bf16": shown(products), "fp8_e4m3": shown(validate_gemm(format_name="fp8_e4m3")),
    "nvfp4": shown(validate_gemm(format_name="nvfp4")), "prefill": shown(validate_attention("prefill")), "decode": shown(validate_attention("decode")),
    "by framework": {name: {r.device: round(r.mape, 4) for r in validate_gemm(frameworks=[name]).results} for name in ("vllm", "sglang", "trtllm")},
    "across families": {f"{a} -> {b}": round(validate_gemm([b], fitted_on=a).results[0].mape, 3) for a, b in ACROSS},
}  # fmt: skip
report("products <= 10 % on unseen rows and GPUs", max(products.mape_rows, products.mape_device) <= LIMIT, result, "numpy", "numba", "pyarrow")
