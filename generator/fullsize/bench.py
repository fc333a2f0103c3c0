"""`python -m generator bench`: time a clip at full size, stage by stage.

A warm-up run compiles and is not counted; every figure is the median of the counted runs, with the
fastest and the slowest.
"""

import logging
from dataclasses import dataclass

import torch

from generator.errors import SpecError
from generator.fullsize.config import FullConfig, read_full_config
from generator.fullsize.decode import count_decoding, make_decoder
from generator.fullsize.device import check_float8, check_memory, device_name, find_device
from generator.fullsize.flops import Work, count_step
from generator.fullsize.generate import Stage
from generator.fullsize.kernels import compile_blocks, fastest_kernel, use_kernel
from generator.fullsize.memory import needed_bytes
from generator.fullsize.report import Report, StageTimes
from generator.fullsize.runner import BASE, DECODE, REFINE, Run, Runner
from generator.fullsize.weights import build_model, count_parameters

logger = logging.getLogger(__name__)

PRECISIONS = ("bf16", "fp8")


@dataclass(frozen=True)
class Request:
    """The arguments of the command line.

    Attributes:
        decoder: name of a video decoder; empty for the config's first.
        compiled: whether to compile; None to compile on a GPU only.
    """

    config: str = "full"
    size: str = "all"
    precision: str = "bf16"
    decoder: str = ""
    device: str = "cuda"
    compiled: bool | None = None
    runs: int = 3


def bench(request: Request) -> Report:
    """Time every selected size.

    Raises:
        SpecError: The config, size, decoder or precision does not exist.
        BackendError: The device is missing, has too little memory, or does not support FP8.
    """
    config = read_full_config(request.config)
    sizes = config.chosen_sizes(request.size)
    decoder_name = config.chosen_decoder(request.decoder)
    if request.precision not in PRECISIONS:
        raise SpecError(f"There is no precision {request.precision!r}; it is bf16 or fp8.")
    device, float8 = find_device(request.device), request.precision == "fp8"
    if float8:
        check_float8(device)
    check_memory(needed_bytes(config, sizes, decoder_name, float8=float8), device)
    compiled = device.type == "cuda" if request.compiled is None else request.compiled

    dtype = torch.bfloat16
    torch.backends.cudnn.benchmark = (
        True  # shapes repeat, so trying out convolution algorithms pays off
    )
    logger.info("building %s with random weights on %s", config.name, device)
    kernel = fastest_kernel(config, sizes, device, dtype)
    with use_kernel(kernel):
        model, error = build_model(
            config, device, dtype, float8=config.float8_scaling if float8 else None
        )
    decoder = make_decoder(config, decoder_name, device, dtype, compiled=compiled)
    if compiled:
        compile_blocks(model)
    runner = Runner(config, model, decoder, device, kernel)
    stages: list[StageTimes] = []
    for name in sizes:
        logger.info("timing %s", name)
        runner.run(name, watched=False)
        stages += summarize(
            runner, name, decoder_name, [runner.run(name) for _ in range(request.runs)]
        )
    return Report(
        config=config.name,
        device=device_name(device),
        torch=torch.__version__,
        precision=request.precision,
        compiled=compiled,
        kernel=kernel.name.lower() if kernel else "torch's choice",
        decoder=decoder_name,
        runs=request.runs,
        waits=runner.waits if device.type == "cuda" else None,
        parameters=count_parameters(config.transformer),
        float8_error=error,
        stages=tuple(stages),
    )


def summarize(runner: Runner, size: str, decoder: str, runs: list[Run]) -> list[StageTimes]:
    """The times of each stage over several runs, and of all stages together."""
    work = {
        BASE: _stage_work(runner.config, runner.base),
        DECODE: Work(large=0, small=count_decoding(runner.config, decoder, size), attention=0),
    }
    tokens = {BASE: runner.base.layout.tokens}
    if size in runner.refinements:
        work[REFINE] = _stage_work(runner.config, runner.refinements[size])
        tokens[REFINE] = runner.refinements[size].layout.tokens
    rows = [
        StageTimes(
            size,
            stage,
            tuple(run.stages[stage].seconds for run in runs),
            tokens.get(stage),
            work.get(stage),
            max(run.stages[stage].peak_bytes for run in runs),
        )
        for stage in runs[0].stages
    ]
    totals = tuple(sum(cost.seconds for cost in run.stages.values()) for run in runs)
    total = StageTimes(size, "total", totals, None, None, max(row.peak_bytes for row in rows))
    return [*rows, total]


def _stage_work(config: FullConfig, stage: Stage) -> Work:
    return count_step(config.transformer, stage.layout, stage.window_radius) * stage.steps
