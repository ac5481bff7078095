"""Classes by name: the recorder's for operators, the usual makers' names for kernels."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from thrifty.measure.trace_classes import FRAMEWORK, class_of, class_of_kernel, class_of_operator
from thrifty.workload import Kind
from thrifty.workload.tracing import record

KERNELS = {
    "attention": [
        "void flash_fwd_kernel<Flash_fwd_kernel_traits<128, 128, 64, 4>>(Flash_fwd_params)", "fmha_cutlassF_f16_aligned_64x128_rf_sm80",
        "void pytorch_flash::flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<>", "cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16_knob_7",
    ],
    "linear": [
        "ampere_sgemm_128x64_tn", "sm80_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize128x128x32_stage4", "nvjet_tst_256x152_64x4_2x1_v_bz_coopA_TNN",
        "void cutlass::Kernel2<cutlass_80_tensorop_bf16_s16816gemm_bf16_256x128_32x3_nn_align8>(Params)", "void gemv2T_kernel_val<int, int, float>",
        "void cublasLt::splitKreduce_kernel<32, 16, int>", "triton_tem_fused_addmm_3", "Cijk_Ailk_Bljk_HHS_BH_MT128x128x32",
    ],
    "conv": [
        "sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc_nchw", "void cudnn::cnn::wgrad2d_grouped_direct_kernel<>", "implicit_convolve_sgemm",
        "void cudnn::ops::nchwToNhwcKernel<__half, __half, float>", "sm80_xmma_dgrad_implicit_gemm_f16", "cudnn_infer_winograd_nonfused",
        "void at::native::(anonymous namespace)::conv_depthwise2d_forward_kernel<3>",
    ],
    "norm": [
        "void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float, float>", "void cudnn::bn_fw_tr_1C11_kernel_NCHW<float>",
        "void at::native::(anonymous namespace)::RowwiseMomentsCUDAKernel<float>", "triton_per_fused_native_group_norm_4",
        "void at::native::(anonymous namespace)::GammaBetaBackwardCUDAKernel<>", "rms_norm_kernel",
    ],
    "softmax": ["void (anonymous namespace)::softmax_warp_forward<float, float, float, 10>", "void at::native::(anonymous namespace)::cunn_SoftMaxForward<4>"],
    "elementwise": [
        "void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>>", "void at::native::reduce_kernel<512, 1>",
        "triton_poi_fused_add_mul_0", "void at::native::(anonymous namespace)::multi_tensor_apply_kernel<>",
    ],
    "memory": [
        "Memcpy HtoD (Pinned -> Device)", "Memset (Device)", "void at::native::(anonymous namespace)::CatArrayBatchedCopy<float, unsigned int, 4>",
        "void at::native::elementwise_kernel<128, 4, at::native::direct_copy_kernel_cuda>",
        "void at::native::vectorized_elementwise_kernel<4, FillFunctor<float>>",
        "void at::native::index_elementwise_kernel<128, 4>", "void at::native::(anonymous namespace)::distribution_elementwise_grid_stride_kernel<float>",
    ],
    "embedding": [
        "void at::native::(anonymous namespace)::indexSelectLargeIndex<float, long>", "void at::native::(anonymous namespace)::embedding_backward_kernel",
    ],
    "sampling": ["void at_cuda_detail::cub::DeviceRadixSortOnesweepKernel", "void at::native::sbtopk::gatherTopK<float>", "void sampleMultinomialOnce<float>"],
    "comm": ["ncclDevKernel_AllReduce_Sum_f16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "ncclKernel_AllGather_RING_LL_Sum_int8_t"],
    "unknown": ["my_secret_kernel"],
}  # fmt: skip


@pytest.mark.parametrize(("label", "name"), [(label, name) for label, names in KERNELS.items() for name in names])
def test_kernels(label: str, name: str) -> None:
    assert class_of_kernel(name) == label
    assert class_of(name) == label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("aten::mm", "linear"), ("aten::linear", "linear"), ("aten::_convolution", "conv"), ("aten::cudnn_convolution", "conv"), ("aten::conv2d", "conv"),
        ("aten::mkldnn_convolution", "conv"), ("aten::convolution_backward", "conv"), ("aten::scaled_dot_product_attention", "attention"),
        ("aten::_flash_attention_forward", "attention"), ("aten::_efficient_attention_backward", "attention"), ("flash_attn::_flash_attn_forward", "attention"),
        ("aten::group_norm", "norm"), ("aten::native_batch_norm", "norm"), ("aten::cudnn_batch_norm", "norm"), ("aten::softmax", "softmax"),
        ("aten::_softmax_backward_data", "softmax"), ("aten::add_", "elementwise"), ("aten::__and__", "elementwise"), ("aten::norm", "elementwise"),
        ("aten::_conj", FRAMEWORK), ("aten::resolve_conj", FRAMEWORK), ("aten::view", FRAMEWORK), ("aten::t", FRAMEWORK), ("aten::empty", FRAMEWORK),
        ("aten::expand", FRAMEWORK), ("aten::to", "memory"), ("aten::_to_copy", "memory"), ("aten::copy_", "memory"), ("aten::cat", "memory"),
        ("aten::convert_weight", "unknown"), ("aten::embedding", "embedding"), ("aten::topk", "sampling"), ("aten::_foreach_add_", "elementwise"),
        ("autograd::engine::evaluate_function: AddmmBackward0", FRAMEWORK), ("AddmmBackward0", FRAMEWORK), ("torch::autograd::AccumulateGrad", FRAMEWORK),
        ("c10d::allreduce_", "comm"), ("nccl:all_reduce", "comm"), ("record_param_comms", "comm"), ("aten::my_new_op", "unknown"),
        ("torchvision::nms", "unknown"), ("aten::upsample_nearest2d", "memory"), ("aten::upsample_bilinear2d", "elementwise"),
    ],
)  # fmt: skip
def test_operators(name: str, label: str) -> None:
    assert class_of_operator(name) == label
    assert class_of(name) in (label, class_of_kernel(name))


class Everything(nn.Module):
    """One of each kind of layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.conv, self.group = nn.Embedding(16, 8), nn.Conv1d(8, 8, 3, padding=1), nn.GroupNorm(2, 8)
        self.layer, self.batch, self.rms, self.out = nn.LayerNorm(8), nn.BatchNorm1d(8), nn.RMSNorm(8), nn.Linear(8, 16)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens).transpose(1, 2)
        x = self.batch(self.group(torch.relu(self.conv(x)))).transpose(1, 2).contiguous()
        x = self.rms(self.layer(nn.functional.scaled_dot_product_attention(x, x, x) * 2 + 1))
        x = torch.cat([x, x.flip(1)], 1).gather(1, torch.zeros(2, 4, 8, dtype=torch.long)).masked_fill(tokens[:, :4, None] > 3, 0.5)
        weights = (x @ x.transpose(1, 2)).softmax(-1)
        y = nn.functional.silu(self.out(weights @ x)).clamp(-2, 2)
        y[:, 0] = y.mean(1)
        chosen = torch.multinomial(y.softmax(-1)[:, -1], 1) + y.sort(-1).indices[:, :1, 0] + y.argmax(-1)[:, :1] + y.topk(2).indices[:, :1, 0]
        return nn.functional.cross_entropy(y.flatten(0, 1), tokens[:, :4].flatten()) + y.pow(2).std() + chosen.float().sum() * 0


def test_peer_classes_agree_with_the_recorder() -> None:
    """Every operator that the recorder has a kind for gets the same from its name."""
    module, tokens = Everything(), torch.randint(0, 16, (2, 4))
    optimizer = torch.optim.AdamW(module.parameters())

    def step() -> None:
        module(tokens).backward()
        optimizer.step()

    table = record(step, module, optimizer=optimizer).table
    seen = {(op, Kind(kind).label) for op, kind in zip(table.ops(), table.rows["kind"], strict=True)}
    assert len(seen) > 40
    assert len({kind for _, kind in seen}) >= 8
    # What it puts together of several operators has a name of its own ("norm"), which no trace knows; spelled-out attention it knows by its shape.
    named = {(op, kind) for op, kind in seen if op.startswith("aten.") and (kind != "attention" or "attention" in op)}
    assert {(op, kind) for op, kind in named if class_of_operator(op.replace(".", "::", 1)) != kind} == set()
