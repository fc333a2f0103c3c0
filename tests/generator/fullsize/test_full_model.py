"""The full-size model at tiny size against a reference implementation."""

import shutil

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import generator.fullsize.attention as full_attention
from generator.foal.model.blocks import eager_attention
from generator.fullsize.attention import layer_attentions, local_attention, windows
from generator.fullsize.config import FullConfig, read_full_config
from generator.fullsize.flops import count_step
from generator.fullsize.kernels import compile_blocks
from generator.fullsize.layout import Layout, rotary
from generator.fullsize.model import FullModel
from generator.fullsize.weights import build_model, distance, materialize

CPU = torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
COMPILING_S = 900  # slow on a busy machine


@pytest.fixture(scope="module")
def tiny() -> FullConfig:
    return read_full_config("full-tiny")


def inputs(config: FullConfig, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    transformer, made = config.transformer, torch.Generator().manual_seed(7)
    channels = (transformer.text_channels, transformer.video_channels, transformer.sound_channels)
    text, video, sound = (
        torch.randn(1, length, width, generator=made)
        for length, width in zip(layout.lengths, channels, strict=True)
    )
    return text, video, sound


def small_model(config: FullConfig, *, padded: bool = False) -> FullModel:
    with torch.device("meta"):
        model = FullModel(config.transformer, padded=padded)
    materialize(model, CPU, torch.float32, seed=3)
    for name, weight in model.named_parameters():
        if name.endswith("norm.weight"):  # ones would hide swapped norm weights
            weight.copy_(torch.linspace(0.5, 1.5, len(weight)))
    return model


def reference_model(
    model: FullModel, config: FullConfig, layout: Layout, radius: int, parts: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Reference: one token at a time where modalities differ, local attention by a mask."""
    weights, transformer = model.state_dict(), config.transformer
    kinds = [kind for kind, count in enumerate(layout.lengths) for _ in range(count)]
    frame_of = [
        (i - layout.text) // layout.per_frame if kind == 1 else None for i, kind in enumerate(kinds)
    ]

    def norm(x: Tensor, weight: Tensor) -> Tensor:
        return x / (x.pow(2).mean(-1, keepdim=True) + torch.finfo(x.dtype).eps).sqrt() * weight

    def linear(x: Tensor, name: str) -> Tensor:
        per_modality = f"{name}.linears.1.weight" in weights
        return torch.stack(
            [
                weights[f"{name}.linears.{kind if per_modality else 0}.weight"] @ row
                for row, kind in zip(x, kinds, strict=True)
            ]
        )

    def attends(query: int, key: int) -> bool:
        a, b = frame_of[query], frame_of[key]
        return a is None or b is None or abs(a - b) <= radius

    mask = torch.tensor([[attends(i, j) for j in range(len(kinds))] for i in range(len(kinds))])
    bands = transformer.head_dim // 8
    frequencies = [10_000 ** -(band / bands) for band in range(bands)]
    angles = torch.tensor(
        [
            [axis * f for axis in position for f in frequencies]
            for position in reference_positions(layout)
        ]
    )

    def rotate(x: Tensor) -> Tensor:
        result = x.clone()
        for pair in range(3 * bands):
            a, b, angle = x[..., pair], x[..., pair + 3 * bands], angles[:, None, pair]
            result[..., pair] = a * angle.cos() - b * angle.sin()
            result[..., pair + 3 * bands] = a * angle.sin() + b * angle.cos()
        return result

    names = ("text_in", "video_in", "sound_in")
    embedded = [
        part[0] @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        for name, part in zip(names, parts, strict=True)
    ]
    x = torch.cat(embedded)
    heads, kept, size = transformer.heads, transformer.kv_heads, transformer.head_dim
    for layer in range(transformer.layers):
        block = f"stream.blocks.{layer}"
        normed = norm(x, weights[f"{block}.attn_norm.weight"])
        qkv = linear(normed, f"{block}.attn.qkv_proj").reshape(len(x), -1, size)
        query = rotate(norm(qkv[:, :heads], weights[f"{block}.attn.q_norm.weight"]))
        key = rotate(norm(qkv[:, heads : heads + kept], weights[f"{block}.attn.k_norm.weight"]))
        value = qkv[:, heads + kept :]
        gates = linear(normed, f"{block}.attn.gate_proj")
        mixed = []
        for head in range(heads):
            shared = head // (heads // kept)
            scores = query[:, head] @ key[:, shared].T / size**0.5
            if radius and layer not in transformer.global_layers:
                scores = scores.masked_fill(~mask, float("-inf"))
            gate = 2 / (1 + (-gates[:, head]).exp())
            mixed.append(scores.softmax(-1) @ value[:, shared] * gate[:, None])
        x = x + linear(torch.cat(mixed, dim=-1), f"{block}.attn.out_proj")
        up_gate = linear(norm(x, weights[f"{block}.mlp_norm.weight"]), f"{block}.up_gate_proj")
        half = up_gate.shape[-1] // 2
        hidden = up_gate[:, :half] / (1 + (-up_gate[:, :half]).exp()) * up_gate[:, half:]
        x = x + linear(hidden, f"{block}.down_proj")
    x = norm(x, weights["stream.norm.weight"])
    start = layout.text + layout.lengths[1]
    return x[layout.text : start] @ weights["video_out.weight"].T, x[start:] @ weights[
        "sound_out.weight"
    ].T


def reference_positions(layout: Layout) -> list[tuple[float, float, float]]:
    text = [(float(i - layout.text), 0.0, 0.0) for i in range(layout.text)]
    video = [
        (float(frame), row - (layout.rows - 1) / 2, column - (layout.columns - 1) / 2)
        for frame in range(layout.frames)
        for row in range(layout.rows)
        for column in range(layout.columns)
    ]
    return [*text, *video, *((i / 4, 0.0, 0.0) for i in range(layout.sound))]


@pytest.mark.parametrize(("size", "radius"), [("32p", 0), ("64p", 2), ("64p", 1)])
def test_the_model_equals_the_reference(tiny: FullConfig, size: str, radius: int) -> None:
    layout = Layout.of(tiny, tiny.sizes[size])
    model, parts = small_model(tiny), inputs(tiny, layout)
    rotary_angles = rotary(layout, tiny.transformer.head_dim, CPU, torch.float32)
    video, sound = model(*parts, rotary_angles, layer_attentions(tiny.transformer, layout, radius))
    expected_video, expected_sound = reference_model(model, tiny, layout, radius, parts)
    torch.testing.assert_close(video[0], expected_video, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(sound[0], expected_sound, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("frames", "radius"),
    [(1, 1), (2, 1), (5, 1), (7, 2), (12, 2), (9, 3), (32, 11), (31, 4), (4, 9)],
)
def test_local_attention_equals_a_mask(frames: int, radius: int) -> None:
    layout = Layout(text=3, frames=frames, rows=1, columns=2, sound=4)
    generator = torch.Generator().manual_seed(frames)
    query = torch.randn(2, 4, layout.tokens, 8, generator=generator)
    key, value = (torch.randn(2, 2, layout.tokens, 8, generator=generator) for _ in range(2))
    frame = torch.full((layout.tokens,), -1)
    frame[3:-4] = torch.arange(frames).repeat_interleave(2)
    far = (frame[:, None] - frame).abs() > radius
    mask = ~(far & (frame[:, None] >= 0) & (frame >= 0))
    expected = functional.scaled_dot_product_attention(
        query, key.repeat_interleave(2, 1), value.repeat_interleave(2, 1), attn_mask=mask
    )
    got = local_attention(query, key, value, layout=layout, radius=radius)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    assert full_attention.attended_pairs(layout, radius) == int(mask.sum())
    assert len(windows(frames, radius)) == frames


def test_padding_the_mlp_changes_nothing(tiny: FullConfig) -> None:
    padded, _ = build_model(tiny, CPU, torch.float32)
    with torch.device("meta"):
        bare = FullModel(tiny.transformer, padded=False)
    bare.to_empty(device=CPU)
    hidden = tiny.transformer.mlp_dim
    state = dict(padded.state_dict())
    for name, weight in state.items():
        if ".up_gate_proj." in name:
            state[name] = torch.cat([half[:hidden] for half in weight.chunk(2)])
        if ".down_proj." in name:
            state[name] = weight[:, :hidden]
    bare.load_state_dict(state)
    layout = Layout.of(tiny, tiny.sizes["32p"])
    rotary_angles = rotary(layout, tiny.transformer.head_dim, CPU, torch.float32)
    attentions = layer_attentions(tiny.transformer, layout, 0)
    parts = inputs(tiny, layout)
    for one, other in zip(
        padded(*parts, rotary_angles, attentions),
        bare(*parts, rotary_angles, attentions),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "radius"), [("32p", 0), ("64p", 2)])
def test_the_formula_matches_the_counter_of_torch(
    tiny: FullConfig, size: str, radius: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        full_attention, "fused_attention", eager_attention
    )  # whose products it counts
    layout = Layout.of(tiny, tiny.sizes[size])
    model = small_model(tiny)
    rotary_angles = rotary(layout, tiny.transformer.head_dim, CPU, torch.float32)
    with FlopCounterMode(display=False) as counter:
        model(
            *inputs(tiny, layout), rotary_angles, layer_attentions(tiny.transformer, layout, radius)
        )
    assert count_step(tiny.transformer, layout, radius).total == counter.get_total_flops()


@needs_compiler
@pytest.mark.timeout(COMPILING_S)
@pytest.mark.parametrize(("float8", "layers"), [(False, 3), (True, 2)])
def test_a_compiled_model_predicts_the_same(tiny: FullConfig, float8: bool, layers: int) -> None:
    few = tiny.transformer.model_copy(update={"layers": layers, "global_layers": (layers - 1,)})
    config = tiny.model_copy(update={"transformer": few})
    model, _ = build_model(config, CPU, torch.float32, float8="row" if float8 else None)
    layout = Layout.of(config, config.sizes["64p"])
    rotary_angles = rotary(layout, few.head_dim, CPU, torch.float32)
    attentions, parts = layer_attentions(few, layout, 2), inputs(config, layout)
    names = set(model.state_dict())
    expected = model(*parts, rotary_angles, attentions)
    compile_blocks(model)
    assert set(model.state_dict()) == names
    with torch.no_grad():
        got = model(*parts, rotary_angles, attentions)
    for one, other in zip(got, expected, strict=True):
        # FP8 rounding may go the other way.
        torch.testing.assert_close(one, other, rtol=1e-3, atol=3e-2 if float8 else 1e-4)


@needs_gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_predicts_the_same_as_a_cpu(tiny: FullConfig, compiled: bool) -> None:
    layout = Layout.of(tiny, tiny.sizes["64p"])
    model, _ = build_model(tiny, CPU, torch.bfloat16)
    attentions = layer_attentions(tiny.transformer, layout, 2)
    parts = [part.bfloat16() for part in inputs(tiny, layout)]
    rotary_angles = rotary(layout, tiny.transformer.head_dim, CPU, torch.bfloat16)
    with torch.no_grad():
        expected = model(*parts, rotary_angles, attentions)
        model.to("cuda")
        if compiled:
            compile_blocks(model)
        cosines, sines = (part.cuda() for part in rotary_angles)
        got = model(*(part.cuda() for part in parts), (cosines, sines), attentions)
    for one, other in zip(got, expected, strict=True):
        assert distance(one.cpu(), other) < 0.02
