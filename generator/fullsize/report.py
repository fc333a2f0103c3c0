"""The report of a timing, as a table and as JSON."""

import json
import statistics
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from generator.fullsize.device import GIGA, TERA, peak_of
from generator.fullsize.flops import Work
from generator.fullsize.weights import Float8Error, Parameters

COLUMNS = ("size", "stage", "seconds (range)", "tokens", "TFLOP", "TFLOP/s", "of peak", "GB")


@dataclass(frozen=True)
class StageTimes:
    """The times of one stage of one size over the counted runs.

    Attributes:
        tokens: length of the sequence; None for stages that do not denoise.
        work: None for stages whose operations are not counted.
    """

    size: str
    stage: str
    seconds: tuple[float, ...]
    tokens: int | None
    work: Work | None
    peak_bytes: int

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Report:
    """A timing with everything that it depends on.

    Attributes:
        waits: how often the CPU waited for the GPU in the denoising loops of the counted runs.
    """

    config: str
    device: str
    torch: str
    precision: str
    compiled: bool
    kernel: str
    decoder: str
    runs: int
    waits: int | None
    parameters: Parameters
    float8_error: Float8Error | None
    stages: tuple[StageTimes, ...]

    def share_of_peak(self, stage: StageTimes) -> float | None:
        """Share of the data sheet's peak: time at the peak over measured time.

        In FP8 only the large linear layers count at the FP8 peak: attention and the rest stay in
        bf16. None if the device's peak is unknown.
        """
        peak = peak_of(self.device)
        if peak is None or stage.work is None or (self.precision == "fp8" and not peak.fp8):
            return None
        work = stage.work
        linear_peak = peak.fp8 if self.precision == "fp8" else peak.bf16
        ideal = work.large / linear_peak + (work.small + work.attention) / peak.bf16
        return ideal / TERA / stage.median

    def as_table(self) -> Group:
        """The figures, followed by the notes."""
        table = Table(
            title=f"{self.config} on {self.device}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
        )
        for column in COLUMNS:
            left = column in ("size", "stage")
            table.add_column(column, justify="left" if left else "right", no_wrap=True)
        for stage in self.stages:
            table.add_row(*self._cells(stage), end_section=stage.stage == "total")
        return Group(table, *self.notes())

    def _cells(self, stage: StageTimes) -> tuple[str, ...]:
        share = self.share_of_peak(stage)
        flops = stage.work.total if stage.work else None
        return (
            stage.size,
            stage.stage,
            f"{stage.median:.3f} ({min(stage.seconds):.3f}-{max(stage.seconds):.3f})",
            "" if stage.tokens is None else f"{stage.tokens:,}",
            "" if flops is None else f"{flops / TERA:,.3g}",
            "" if flops is None else f"{flops / TERA / stage.median:,.3g}",
            "" if share is None else f"{share:.1%}",
            f"{stage.peak_bytes / GIGA:.1f}",
        )

    def notes(self) -> list[str]:
        """Sentences that explain the figures."""
        compiled = "blocks compiled" if self.compiled else "not compiled"
        count = self.parameters
        notes = [
            f"Median of {self.runs} runs after one to warm up; torch {self.torch}, "
            f"{self.precision}, {compiled}, attention by {self.kernel}, decoder '{self.decoder}'.",
            f"Random weights: {count.stored:,} in the blocks, of which a token "
            f"uses {count.active:,}; both stages use the same.",
            "Decoding and encoding overlap; 'encode' is the time from the last decoded frame to "
            "the file. The text features are random: a text encoder is not part of this.",
        ]
        if self.waits is not None:
            notes.append(f"Waits for the GPU in the denoising loops: {self.waits}.")
        if self.float8_error:
            error = self.float8_error
            notes.append(
                f"FP8 against bf16, one prediction of the base stage, relative error: "
                f"{error.video:.2%} of video, {error.sound:.2%} of sound, "
                f"at most {max(error.blocks):.2%} after a block."
            )
        if peak_of(self.device) is None:
            notes.append("The peak of this device is unknown, so shares of it are not shown.")
        return notes

    def as_json(self) -> str:
        """Everything in the report, with medians, rates and shares, as JSON."""
        report: dict[str, Any] = asdict(self) | {"notes": self.notes()}
        for row, stage in zip(report["stages"], self.stages, strict=True):
            row["median_seconds"] = stage.median
            row["flop"] = stage.work.total if stage.work else None
            row["flop_per_second"] = stage.work.total / stage.median if stage.work else None
            row["share_of_peak"] = self.share_of_peak(stage)
        return json.dumps(report, indent=2)
