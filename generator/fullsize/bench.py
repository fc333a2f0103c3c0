"""`python -m generator bench`: how long a clip takes at full size, stage by stage.

A warm-up run compiles and is not counted; every number afterwards is the median of the counted
runs, with the fastest and the slowest beside it.
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
from generator.fullsize.kernels import compile_blocks, fused_by, quickest_kernel
from generator.fullsize.memory import needed_bytes
from generator.fullsize.report import Report, StageTimes
from generator.fullsize.rig import BASE, DECODE, REFINE, Rig, Run
from generator.fullsize.weights import build_model, count_parameters

logger = logging.getLogger(__name__)

PRECISIONS = ("bf16", "fp8")


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        decoder: empty for the config's first.
        compiled: None for on a GPU and not on a CPU.
    """

    config: str = "full"
    size: str = "all"
    precision: str = "bf16"
    decoder: str = ""
    device: str = "cuda"
    compiled: bool | None = None
    runs: int = 3


def bench(request: Request) -> Report:
    """Time every size that is asked for.

    Raises:
        SpecError: There is no such config, size, decoder or precision.
        BackendError: The device is missing, has too little memory, or cannot multiply FP8.
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
    torch.backends.cudnn.benchmark = True  # every shape comes again: convolutions are tried out
    logger.info("making %s with random weights on %s", config.name, device)
    kernel = quickest_kernel(config, sizes, device, dtype)
    with fused_by(kernel):
        model, error = build_model(
            config, device, dtype, float8=config.float8_scaling if float8 else None
        )
    decoder = make_decoder(config, decoder_name, device, dtype, compiled=compiled)
    if compiled:
        compile_blocks(model)
    rig = Rig(config, model, decoder, device, kernel)
    stages: list[StageTimes] = []
    for name in sizes:
        logger.info("timing %s", name)
        rig.run(name, watched=False)
        stages += summarise(rig, name, decoder_name, [rig.run(name) for _ in range(request.runs)])
    return Report(
        config=config.name,
        device=device_name(device),
        torch=torch.__version__,
        precision=request.precision,
        compiled=compiled,
        kernel=kernel.name.lower() if kernel else "torch's choice",
        decoder=decoder_name,
        runs=request.runs,
        waits=rig.waits if device.type == "cuda" else None,
        parameters=count_parameters(config.transformer),
        float8_error=error,
        stages=tuple(stages),
    )


def summarise(rig: Rig, size: str, decoder: str, runs: list[Run]) -> list[StageTimes]:
    """What each stage took over several runs, and their total."""
    work = {
        BASE: _work_of(rig.config, rig.base),
        DECODE: Work(large=0, small=count_decoding(rig.config, decoder, size), attention=0),
    }
    tokens = {BASE: rig.base.layout.tokens}
    if size in rig.refinements:
        work[REFINE] = _work_of(rig.config, rig.refinements[size])
        tokens[REFINE] = rig.refinements[size].layout.tokens
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
    whole = tuple(sum(taken.seconds for taken in run.stages.values()) for run in runs)
    total = StageTimes(size, "total", whole, None, None, max(row.peak_bytes for row in rows))
    return [*rows, total]


def _work_of(config: FullConfig, stage: Stage) -> Work:
    return count_step(config.transformer, stage.layout, stage.reach) * stage.steps
