"""What others predict: published models of the carbon of machine learning, as their authors state them. References beside our own answer, never part of it.

- `llmcarbon` : LLMCarbon (Faiz et al., ICLR 2024): FLOPs = 6 N D, fitted efficiency of Megatron on A100, power a device, PUE, intensity; making by area;
- `ecologits` : EcoLogits 0.11.3, one request to a language model at a batch of 64 on a server of eight GPUs;
- `published` : runs whose owners said what they took.

Every number comes from `predictors.toml` of the pack and is tagged literature; what a predictor leaves out is said with its answer.
"""

from thrifty.lenses.carbon.workloads.predictors.ecologits import ecologits_request
from thrifty.lenses.carbon.workloads.predictors.llmcarbon import Validation, llmcarbon_work, validate_llmcarbon
from thrifty.lenses.carbon.workloads.predictors.prediction import Prediction
from thrifty.lenses.carbon.workloads.predictors.published import PublishedRun, published_run, published_runs

__all__ = [
    "Prediction", "PublishedRun", "Validation", "ecologits_request", "llmcarbon_work", "published_run", "published_runs",
    "validate_llmcarbon",
]  # fmt: skip
