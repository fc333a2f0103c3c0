"""What a release says of itself: the README for people, Croissant for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arena.release.collect import instant
from arena.release.schema import TABLES, ColumnType, TableSchema
from arena.release.tables import FORMATS
from arena.standings.standings import CONFIDENCE

LICENCE = "CC-BY-4.0"  # of votes, prompts and leaderboards, as in the sets this one can join
LICENCE_URL = "https://creativecommons.org/licenses/by/4.0/"
CROISSANT = "http://mlcommons.org/croissant/1.0"
ENCODINGS = {
    "parquet": "application/x-parquet",
    "csv": "text/csv",
    "jsonl": "application/jsonlines",
}
DATA_TYPES = {
    ColumnType.TEXT: "sc:Text",
    ColumnType.INTEGER: "sc:Integer",
    ColumnType.NUMBER: "sc:Float",
    ColumnType.BOOLEAN: "sc:Boolean",
}
# The context that Croissant 1.0 asks every description to have, whole.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        term: f"cr:{term}"
        for term in (
            *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty"),
            *("fileObject", "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key"),
            *("md5", "parentField", "path", "recordSet", "references", "regex", "repeated"),
            *("replace", "samplingRate", "separator", "source", "subField", "transform"),
        )
    },
}


@dataclass(frozen=True)
class About:
    """What the documents tell of one release."""

    tracks: Sequence[str]
    rows: Mapping[str, int]  # by table
    voters: int
    watermark: int
    formats: Sequence[str]
    with_media: bool
    made_at: datetime
    version: str  # of the program


@dataclass(frozen=True)
class WrittenFile:
    name: str
    bytes: int
    sha256: str


def dictionary() -> str:
    """The data dictionary in Markdown."""
    parts = []
    for schema in TABLES:
        rows = "\n".join(
            f"| `{column.name}` | {column.type} | {column.description} |"
            for column in schema.columns
        )
        parts.append(
            f"### `{schema.name}.*`\n\n{schema.description}\n\n| column | kind | meaning |\n"
            f"| --- | --- | --- |\n{rows}\n"
        )
    return "\n".join(parts)


def readme(about: About) -> str:
    """The README.md of a release."""
    counts = "\n".join(f"| `{schema.name}.*` | {about.rows[schema.name]:,} |" for schema in TABLES)
    media = (
        "`media/` has the clips as voters got them, each named by its SHA-256. A clip is under "
        "the terms of the model that made it: see `licence` in `models.*`."
        if about.with_media
        else "The clips themselves are not in this release; `clips.*` has their SHA-256."
    )
    return f"""# Votes of a blind arena for generated video

Made by Hippodrome {about.version} at {instant(about.made_at)} from the votes up to \
{about.watermark:,}, of {about.voters:,} voters. Tracks: {", ".join(about.tracks) or "none"}.

| table | rows |
| --- | ---: |
{counts}

Each table is here as {", ".join(about.formats)}, with the same content. An empty cell means: not \
known, or none. `votes.*` opens with the columns of LMArena's published sets, so what reads \
those reads it.

## How it was collected

A voter saw two clips of one prompt, made by two models with identical settings, without names. \
The sides were tossed once for each battle; the pair was drawn by the rule in `sampler`, with \
the probability in `probability`. One battle takes one vote. A voter could answer left, right, \
tie, or both bad, or skip. Names were shown after the vote at the earliest.

`votes.*` has people's votes. `simulated.*` has votes of simulated voters, who judge by measured \
quality; they are marked and have leaderboards of their own. A skip is no vote for anyone, and is \
in `skips.*`. A vote on a deliberate repeat has `repeat_of` set, and no rating counts it.

`leaderboard.*` are Bradley-Terry ratings on the Elo scale with {CONFIDENCE:.0%} sandwich \
intervals, computed from the counted votes up to the `watermark`; `both_bad` counts as a tie, \
and a tie as the track's `ties` says.

## Check it

`sha256sum --check SHA256SUMS` checks the files. `arena verify` with this folder does that too, \
compares the formats, checks that votes, models, prompts and clips fit together, and computes \
every leaderboard again.

## Privacy and licence

`evaluation_session_id` is a keyed hash of a random number in a cookie. The hash's key was made \
for this release and thrown away, so the pseudonyms of two releases have nothing in common. There \
are no addresses, no names of people, no browsers.

Votes, prompts and leaderboards: {LICENCE} ({LICENCE_URL}). {media}

## Data dictionary

{dictionary()}"""


def croissant(about: About, files: Sequence[WrittenFile]) -> dict[str, Any]:
    """The description in MLCommons Croissant 1.0, with every table's files and columns."""
    # Of several formats, the one that loses least in its readers.
    typed = next(format_ for format_ in FORMATS if format_ in about.formats)
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CROISSANT,
        "name": "hippodrome-votes",
        "description": (
            "Blind pairwise votes on generated video, with the models, prompts and clips they are "
            "about and the leaderboards computed from them."
        ),
        "license": LICENCE_URL,
        "url": "README.md",
        "creator": {"@type": "Organization", "name": "Hippodrome"},
        "datePublished": instant(about.made_at),
        "version": f"{about.made_at.year}.{about.made_at.month}.{about.made_at.day}",
        "citeAs": f"Votes of a Hippodrome arena up to vote {about.watermark}, "
        f"{about.made_at.date().isoformat()}",
        "isLiveDataset": False,
        "distribution": [_file_object(file) for file in files],
        "recordSet": [_record_set(schema, typed) for schema in TABLES],
    }


def _file_object(file: WrittenFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": ENCODINGS[file.name.rpartition(".")[2]],
        "sha256": file.sha256,
    }


def _record_set(schema: TableSchema, format_: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "@type": "cr:RecordSet",
        "@id": schema.name,
        "name": schema.name,
        "description": schema.description,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{schema.name}/{column.name}",
                "name": column.name,
                "description": column.description,
                "dataType": DATA_TYPES[column.type],
                "source": {
                    "fileObject": {"@id": f"{schema.name}.{format_}"},
                    "extract": {"column": column.name},
                },
            }
            for column in schema.columns
        ],
    }
    if "id" in schema.names:
        document["key"] = {"@id": f"{schema.name}/id"}
    return document
