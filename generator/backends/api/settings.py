"""What is asked for: the settings of an order that come nearest to the track, and their price."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from generator.backends.api.schema import WITH_SOUND, Order, Provider
from generator.errors import BackendError, SpecError
from generator.spec import OFF, TrackSettings

RATIO_TOLERANCE = 0.02  # of the logarithm: 1.02 to 1, as 854x480 beside 16:9


@dataclass(frozen=True)
class Choice:
    """Settings of one order.

    Attributes:
        values: by placeholder, without those of the prompt and of files.
        seconds: length that is asked for.
        tier: the size, in the service's words.
        price_usd: list price of the clip; None if the provider file has none.
        usd_per_second: list price of a second of it.
        adapted: what was asked for other than the track says.
        dropped: what the service does not take.
    """

    values: dict[str, Any]
    seconds: int
    tier: str
    price_usd: float | None
    usd_per_second: float | None = None
    adapted: tuple[str, ...] = ()
    dropped: dict[str, Any] = field(default_factory=dict)


def choose(
    provider: Provider, order: Order, model: str, track: TrackSettings, *, tier: str | None = None
) -> Choice:
    """Choose the shortest length and the smallest size that cover the track.

    Args:
        provider: for its prices.
        order: for the track's modality.
        model: name of the model.
        track: what is needed.
        tier: the entrant's choice of a size.

    Raises:
        SpecError: the model cannot serve the track; says why.
    """
    if track.audio and order.sound == "never":
        raise SpecError(f"{model} makes no sound; remove the track {track.name}.")
    if order.source_max_s is not None and track.duration_s > order.source_max_s:
        raise SpecError(
            f"{model} takes sources of at most {order.source_max_s:g} s and the track {track.name} "
            f"needs {track.duration_s:g} s; remove that track."
        )
    name = _choose_tier(provider, order, model, track, tier)
    values: dict[str, Any] = {"model": order.models[model], "tier": name}
    if order.lengths:
        seconds = _choose_seconds(order, model, track, name)
        values["seconds"] = {"number": seconds, "text": str(seconds), "suffix": f"{seconds}s"}[
            order.seconds_as
        ]
    else:
        seconds = math.ceil(track.duration_s)  # as long as its source
    size = order.tiers[name]
    width, height = _size(size, track)
    values |= {"width": width, "height": height}
    adapted = []
    if order.lengths and seconds != track.duration_s:
        adapted.append(f"asked for {seconds} s instead of {track.duration_s:g} s")
    if min(width, height) < min(track.width, track.height):
        adapted.append(f"asked for {name}, which is smaller than {track.width}x{track.height}")
    elif (width, height) != (track.width, track.height):
        adapted.append(f"asked for {name} instead of {track.width}x{track.height}")
    if order.ratios:
        values["ratio"] = _choose_ratio(order, track)
        if _mismatch(values["ratio"], track) > RATIO_TOLERANCE:
            adapted.append(f"asked for {values['ratio']}, the nearest shape")
    if order.sound == "switch":
        values["sound"] = order.sound_on if track.audio else order.sound_off
    elif order.sound == "always" and not track.audio:
        adapted.append("comes with sound, which is removed")
    if track.prompt_rewriting == OFF:
        rewriting = provider.rewriting_of(order)
        if rewriting == "always":
            raise SpecError(
                f"{model} rewrites prompts and has no switch for it, and the track {track.name} "
                f'has prompt_rewriting = "{OFF}"; remove that track.'
            )
        if rewriting == "switch":
            values["rewriting"] = order.rewriting_off
        elif rewriting == "unknown":
            adapted.append("whether the service rewrites prompts is not documented")
    price = _price_per_second(provider, model, name, sound=track.audio)
    billed_s = math.ceil(seconds / provider.block_s) * provider.block_s
    billed_s *= 2 if order.bills_source else 1
    return Choice(
        values=values,
        seconds=seconds,
        tier=name,
        price_usd=None if price is None else round(price * billed_s, 6),
        usd_per_second=price,
        adapted=tuple(adapted),
    )


def _choose_seconds(order: Order, model: str, track: TrackSettings, tier: str) -> int:
    """The shortest length that covers the track.

    Raises:
        SpecError: all are shorter.
    """
    lengths = [s for s in order.lengths if s in order.pairs.get(tier, order.lengths)]
    enough = [seconds for seconds in lengths if seconds >= track.duration_s]
    if not enough:
        raise SpecError(
            f"{model} makes clips of at most {max(lengths, default=0)} s and the track "
            f"{track.name} needs {track.duration_s:g} s; remove that track."
        )
    return enough[0]


def seed_values(order: Order, seed: int) -> tuple[dict[str, int], dict[str, int]]:
    """The seed within the service's range, as a value; and what is dropped if it takes none."""
    if order.seed_max is None:
        return {}, {"seed": seed}
    return {"seed": seed % (order.seed_max + 1)}, {}


def check_prompt(order: Order, model: str, prompt_id: str, prompt: str) -> None:
    """Refuse a prompt that the service would cut or reject.

    Raises:
        BackendError: it is too long; says by how much.
    """
    if order.prompt_max is None:
        return
    count = {
        "characters": len(prompt),
        "utf16": len(prompt.encode("utf-16-le")) // 2,
        "words": len(prompt.split()),
    }[order.prompt_unit]
    if count > order.prompt_max:
        unit = "UTF-16 units" if order.prompt_unit == "utf16" else order.prompt_unit
        raise BackendError(
            f"The prompt {prompt_id} has {count:,} {unit} and {model} takes {order.prompt_max:,}; "
            "shorten it: nothing was ordered."
        )


def _choose_tier(
    provider: Provider, order: Order, model: str, track: TrackSettings, chosen: str | None
) -> str:
    """The smallest tier that covers the track, else the largest; only priced ones, if any are."""
    prices = provider.prices.get(model)
    tiers = {
        name: size
        for name, size in order.tiers.items()
        if prices is None or name in prices or name + WITH_SOUND in prices
    }
    if not tiers:
        raise SpecError(f"The provider file has no tier of {model} with a price; correct it.")
    if chosen is not None:
        if chosen not in tiers:
            raise SpecError(
                f"backend.tier is {chosen!r}; {model} has {', '.join(tiers)}: use one of them."
            )
        return chosen

    def order_of(name: str) -> tuple[float, bool, int]:
        width, height = _size(tiers[name], track)
        both = not isinstance(tiers[name], int)
        shape = abs(math.log(width / height) - math.log(track.width / track.height))
        too_small = min(width, height) < min(track.width, track.height)
        pixels = width * height
        mismatch = round(shape, 2) if both else 0.0
        return mismatch, too_small, -pixels if too_small else pixels

    return min(tiers, key=order_of)


def _size(size: int | tuple[int, int], track: TrackSettings) -> tuple[int, int]:
    """Width and height; of a tier that names only the shorter side, in the track's shape."""
    if not isinstance(size, int):
        return size
    if size == 0:  # as the source, which is sent in the track's size
        return track.width, track.height
    scale = size / min(track.width, track.height)
    return round(track.width * scale), round(track.height * scale)


def _choose_ratio(order: Order, track: TrackSettings) -> str:
    return min(order.ratios, key=lambda ratio: _mismatch(ratio, track))


def _mismatch(ratio: str, track: TrackSettings) -> float:
    width, _, height = ratio.partition(":")
    try:
        return abs(math.log(int(width) / int(height)) - math.log(track.width / track.height))
    except (ValueError, ZeroDivisionError):
        return math.inf  # a word, such as "adaptive"


def _price_per_second(provider: Provider, model: str, tier: str, *, sound: bool) -> float | None:
    prices: Mapping[str, float] = provider.prices.get(model, {})
    with_sound = prices.get(tier + WITH_SOUND)
    return with_sound if sound and with_sound is not None else prices.get(tier)
