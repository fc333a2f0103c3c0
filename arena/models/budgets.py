"""The tables that count battles: by network, and by entrant and day."""

from datetime import date

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from arena.models.base import Base
from arena.models.enums import NETWORK_LENGTH


class IssuedTo(Base):
    """How many battles one network got on one day, and how many votes came back.

    Written by `voting.budgets`; deleted the day after. `network` is a hash with that day's salt.
    """

    __tablename__ = "issued_to"

    network: Mapped[str] = mapped_column(String(NETWORK_LENGTH), primary_key=True)
    day: Mapped[date] = mapped_column(index=True)
    hour: Mapped[int]  # of the last two numbers, UTC
    issued: Mapped[int]
    votes: Mapped[int]
    issued_in_hour: Mapped[int]
    votes_in_hour: Mapped[int]


class NetworkSalt(Base):
    """The secret with which a day's networks are hashed. Written by `voting.networks`.

    It is deleted the day after, so that nobody can find out which networks the hashes are of.
    """

    __tablename__ = "network_salt"

    day: Mapped[date] = mapped_column(primary_key=True)
    salt: Mapped[str] = mapped_column(String(64))


class Completion(Base):
    """How many battles of one day showed an entrant, and how many of them were voted on.

    Written by `voting.completion`. Battles and votes by people, without repeats and
    honey pairs.
    """

    __tablename__ = "completion"

    track_id: Mapped[int] = mapped_column(ForeignKey("track.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    entrant_id: Mapped[int] = mapped_column(ForeignKey("entrant.id"), primary_key=True)
    issued: Mapped[int]
    voted: Mapped[int]


class CompletionProgress(Base):
    """Up to which battle and vote `completion` counts; one row. Written by `voting.completion`."""

    __tablename__ = "completion_progress"

    id: Mapped[int] = mapped_column(primary_key=True)
    battle_id: Mapped[int] = mapped_column(BigInteger)
    vote_id: Mapped[int] = mapped_column(BigInteger)
