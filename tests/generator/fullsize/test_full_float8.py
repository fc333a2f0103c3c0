"""FP8: the numbers that are multiplied, and how far they are from bf16."""

import pytest
import torch
from torch import Tensor

from generator.fullsize.config import FullConfig, read_full_config
from generator.fullsize.float8 import Float8Linear, quantise
from generator.fullsize.weights import build_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny() -> FullConfig:
    return read_full_config("full-tiny")


@pytest.mark.parametrize("scaling", ["row", "tensor"])
def test_float8_multiplies_rounded_numbers(scaling: str) -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(64, 32, bias=False)
    x = torch.randn(2, 5, 64) * torch.tensor([1.0, 30, 0.01, 1, 1])[:, None]
    got = Float8Linear(linear, scaling)(x)  # type: ignore[arg-type]

    def rounded(values: Tensor) -> Tensor:
        peak = values.abs().amax(-1, keepdim=True) if scaling == "row" else values.abs().max()
        return (values / peak * 448).to(torch.float8_e4m3fn).double() * peak / 448

    expected = rounded(x.flatten(0, 1)) @ rounded(linear.weight.detach()).T
    torch.testing.assert_close(got.flatten(0, 1).double(), expected, rtol=1e-3, atol=1e-4)
    exact = linear(x)
    assert (got - exact).norm() / exact.norm() < 0.05
    assert not Float8Linear(linear, scaling)(torch.zeros(1, 1, 64)).any()  # type: ignore[arg-type]


@pytest.mark.parametrize("scaling", ["row", "tensor"])
def test_torch_multiplies_float8_as_we_do_without_it(scaling: str) -> None:
    # The call that a GPU gets, where torch has it for CPUs too.
    torch.manual_seed(1)
    ours = Float8Linear(torch.nn.Linear(64, 32, bias=False).bfloat16(), scaling)  # type: ignore[arg-type]
    x = torch.randn(6, 64).bfloat16()
    rows, scale = quantise(x, scaling)  # type: ignore[arg-type]
    try:
        product = torch._scaled_mm(
            rows, ours.weight.T, scale_a=scale, scale_b=ours.scale, out_dtype=torch.bfloat16
        )
    except (RuntimeError, NotImplementedError) as error:
        pytest.skip(f"torch has no such product here: {error}")
    torch.testing.assert_close(product, ours(x), rtol=1e-2, atol=1e-2)


def test_float8_leaves_the_gate_and_says_how_far_it_is_from_bf16(tiny: FullConfig) -> None:
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
