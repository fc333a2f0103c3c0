"""FP8: the products of FP8 numbers, and their error against bf16."""

import pytest
import torch
from torch import Tensor

from generator.fullsize.config import FullConfig, Scaling, read_full_config
from generator.fullsize.float8 import FIRST_CAPABILITY, Float8Linear, quantize
from generator.fullsize.weights import build_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny() -> FullConfig:
    return read_full_config("full-tiny")


@pytest.mark.parametrize("scaling", ["row", "tensor"])
def test_float8_multiplies_rounded_numbers(scaling: Scaling) -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(64, 32, bias=False)
    x = torch.randn(2, 5, 64) * torch.tensor([1.0, 30, 0.01, 1, 1])[:, None]
    got = Float8Linear(linear, scaling)(x)

    def rounded(values: Tensor) -> Tensor:
        peak = values.abs().amax(-1, keepdim=True) if scaling == "row" else values.abs().max()
        return (values / peak * 448).to(torch.float8_e4m3fn).double() * peak / 448

    expected = rounded(x.flatten(0, 1)) @ rounded(linear.weight.detach()).T
    torch.testing.assert_close(got.flatten(0, 1).double(), expected, rtol=1e-3, atol=1e-4)
    exact = linear(x)
    assert (got - exact).norm() / exact.norm() < 0.05
    assert not Float8Linear(linear, scaling)(torch.zeros(1, 1, 64)).any()


@pytest.mark.skipif(
    not torch._C._dispatch_has_kernel_for_dispatch_key("aten::_scaled_mm", "CPU"),
    reason="this build of torch has no FP8 product for CPUs",
)
@pytest.mark.parametrize("scaling", ["row", "tensor"])
def test_the_emulated_product_equals_that_of_torch(scaling: Scaling) -> None:
    torch.manual_seed(1)
    linear = Float8Linear(torch.nn.Linear(64, 32, bias=False).bfloat16(), scaling)
    x = torch.randn(6, 64).bfloat16()
    rows, scale = quantize(x, scaling)
    # The call that Float8Linear makes on a GPU.
    product = torch._scaled_mm(
        rows, linear.weight.T, scale_a=scale, scale_b=linear.scale, out_dtype=torch.bfloat16
    )
    torch.testing.assert_close(product, linear(x), rtol=1e-2, atol=1e-2)


@pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability() < FIRST_CAPABILITY,
    reason="needs a GPU that multiplies FP8",
)
@pytest.mark.parametrize("scaling", ["row", "tensor"])
def test_a_gpu_multiplies_float8_as_a_cpu_does(scaling: Scaling) -> None:
    torch.manual_seed(1)
    linear = Float8Linear(torch.nn.Linear(64, 32, bias=False).bfloat16(), scaling)
    x = torch.randn(6, 64).bfloat16()
    expected = linear(x)
    torch.testing.assert_close(linear.to("cuda")(x.cuda()).cpu(), expected, rtol=1e-2, atol=1e-2)


def test_float8_keeps_the_gate_in_bf16_and_reports_its_error(tiny: FullConfig) -> None:
    model, error = build_model(tiny, CPU, torch.bfloat16, float8="row")
    assert error
    assert len(error.blocks) == tiny.transformer.layers
    assert 0.001 < error.video < 0.1
    assert 0.001 < error.sound < 0.1
    kinds: dict[str, set[type]] = {}
    for name, module in model.named_modules():
        if name.endswith(".linears.0"):
            kinds.setdefault(name.split(".")[-3], set()).add(type(module))
    assert kinds.pop("gate_proj") == {torch.nn.Linear}
    large = ("qkv_proj", "out_proj", "up_gate_proj", "down_proj")
    assert kinds == {name: {Float8Linear} for name in large}
