"""A honey pair shows a clip and its damaged copy: rarely, to voters who have begun, unrated."""

import random
from collections import Counter

import pytest
from honey_copies import add_copies, clean_side
from scipy.stats import binomtest
from sqlalchemy import select

from arena.catalog.index import catalog_index
from arena.catalog.withholding import withhold_clip
from arena.database import Database
from arena.errors import BallotError, NotWithdrawable
from arena.holds.decisions import Selection, hold_votes, release_votes
from arena.holds.status import judge_votes
from arena.models import (
    HONEY,
    REPEAT,
    Battle,
    Clip,
    Completion,
    Prompt,
    Vote,
    WithheldCause,
)
from arena.standings.standings import leaderboard
from arena.status import _count_votes
from arena.voting.completion import SETTLED, count_battles
from arena.voting.issuing import HONEY_AFTER, HONEY_SHARE, Issuer, VoterBattles
from arena.voting.matchmaking import draw
from arena.voting.own_data import own_votes
from arena.voting.schemas import CastVote, IssuedBattle
from arena.voting.snapshots import LastSnapshot
from arena.voting.withdrawing import withdraw_vote
from small_arena import START, TRACK, Booth, stored_track


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every battle that may be a honey pair is one."""
    monkeypatch.setattr("arena.voting.issuing.HONEY_SHARE", 1.0)


def honey_battle(booth: Booth, category: str | None = None) -> tuple[IssuedBattle, str]:
    """Vote until a honey pair opens; return it with its undamaged side."""
    for _ in range(12):
        battle = booth.ask(category)
        side = clean_side(booth, battle.token)
        booth.wait(battle.min_watch_ms / 1000)
        if side is not None:
            return battle, side
        booth.cast(battle.token, "a")
    raise AssertionError("no honey pair opened")


def answer_honey(booth: Booth, *, passes: bool = True) -> CastVote:
    battle, clean = honey_battle(booth)
    return booth.cast(battle.token, clean if passes else {"a": "b", "b": "a"}[clean])


def samplers(booth: Booth) -> list[str]:
    with booth.database.reading() as session:
        return list(session.scalars(select(Battle.sampler).order_by(Battle.id)))


@pytest.mark.usefixtures("always")
def test_the_first_pairs_of_a_voter_are_no_honey_pairs_and_later_ones_are(booth: Booth) -> None:
    copies = add_copies(booth.database)
    for _ in range(HONEY_AFTER + 2):
        booth.vote("a")
    assert samplers(booth) == ["uniform"] * HONEY_AFTER + [HONEY] * 4  # the last is prefetched
    with booth.database.reading() as session:
        for battle in session.scalars(select(Battle).where(Battle.sampler == HONEY)):
            copy = max(battle.clip_a_id, battle.clip_b_id)
            assert min(battle.clip_a_id, battle.clip_b_id) == copies[copy]
            assert battle.prompt_id == battle.clip_a.prompt_id == battle.clip_b.prompt_id
            assert battle.probability in (1, 1 / 2)  # of the copies that were shown least


@pytest.mark.usefixtures("always")
def test_without_a_copy_there_are_no_honey_pairs(booth: Booth) -> None:
    for _ in range(6):
        booth.vote("a")
    assert set(samplers(booth)) == {"uniform"}


@pytest.mark.databases("sqlite")
def test_a_small_share_of_battles_are_honey_pairs_with_random_sides(
    arena_database: Database,
) -> None:
    copies = add_copies(arena_database)
    rng = random.Random(5)
    found: Counter[tuple[int, int]] = Counter()
    draws = 20_000
    with arena_database.reading() as session:
        index = catalog_index(session).of(session, stored_track(arena_database).id)
        pairs = [(1, 2), (3, 4), (5, 6)]
        issuer = Issuer(session, LastSnapshot(), START, rng)
        for _ in range(draws):
            battle = issuer._honey(VoterBattles(1, index, shown=set(pairs)), None)
            if battle is not None:
                found[battle.clip_a_id, battle.clip_b_id] += 1
    assert binomtest(sum(found.values()), draws, HONEY_SHARE).pvalue > 1e-4
    sides = {(copy, clip) for copy, clip in copies.items()}
    assert set(found) == sides | {(clip, copy) for copy, clip in sides}
    on_left = sum(number for (left, _), number in found.items() if left in copies)
    assert binomtest(on_left, sum(found.values()), 0.5).pvalue > 1e-4


@pytest.mark.usefixtures("always")
def test_the_answer_says_that_it_was_a_check_and_names_no_model(booth: Booth) -> None:
    add_copies(booth.database)
    battle, clean = honey_battle(booth)
    cast = booth.cast(battle.token, clean)
    assert cast.reveal is None
    assert (cast.status, cast.hold and cast.hold["rule"]) == ("held", "honey-pair")
    assert booth.cast(battle.token, clean).hold == cast.hold
    with booth.database.reading() as session:
        own = own_votes(session, voter_key=booth.key)[0]
        assert own.receipt == cast.receipt
        assert (own.models, own.verdict.hold) == (None, cast.hold)


@pytest.mark.usefixtures("always")
def test_an_open_honey_pair_looks_like_any_other_battle(booth: Booth) -> None:
    add_copies(booth.database)
    ordinary = booth.ask()
    battle, _ = honey_battle(booth)
    assert vars(battle).keys() == vars(ordinary).keys()
    assert (len(battle.token), battle.min_watch_ms) == (len(ordinary.token), ordinary.min_watch_ms)


@pytest.mark.usefixtures("always")
def test_honey_pairs_count_nowhere(booth: Booth) -> None:
    add_copies(booth.database)
    for _ in range(3):
        answer_honey(booth, passes=False)
    counted = samplers(booth).count("uniform")
    board = leaderboard(booth.database, track_name=TRACK, now=booth.now)
    assert board.votes == counted
    assert sum(row.vote_count for row in board.rows) == 2 * counted
    assert board.holds is not None
    assert board.holds["held"] == 0
    count_battles(booth.database, now=booth.now + 2 * SETTLED)
    with booth.database.reading() as session:
        rows = session.scalars(select(Completion)).all()
        assert sum(row.issued for row in rows) == sum(row.voted for row in rows) == 2 * counted
        track_id = stored_track(booth.database).id
        assert _count_votes(session, since=None)[track_id] == counted


@pytest.mark.usefixtures("always")
def test_a_honey_pair_is_not_repeated_and_uses_up_no_clip(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = add_copies(booth.database, prompts=("p-1",))
    for _ in range(4):
        answer_honey(booth)
    monkeypatch.setattr("arena.voting.issuing.HONEY_SHARE", 0.0)
    monkeypatch.setattr("arena.voting.issuing.REPEAT_SHARE", 1.0)
    monkeypatch.setattr("arena.voting.issuing.REPEAT_AFTER", 4)
    monkeypatch.setattr("arena.voting.issuing.NOT_REPEATED", 1)
    for _ in range(4):
        booth.vote("a")
    with booth.database.reading() as session:
        for repeat in session.scalars(select(Battle).where(Battle.sampler == REPEAT)):
            assert session.get_one(Battle, repeat.repeat_of).sampler == "uniform"
        ((copy, clip),) = copies.items()
        index = catalog_index(session, exact=True).of(session, stored_track(booth.database).id)
        shown = {(copy, clip), (clip, copy)}
        drawn = {
            clip_id
            for seed in range(200)
            if (pair := draw(index, {*shown, (1, 3), (4, 7)}, random.Random(seed)))
            for clip_id in pair.clips
        }
    assert clip in drawn
    assert copy not in drawn


@pytest.mark.usefixtures("always")
def test_a_category_has_honey_pairs_of_its_own_prompts(booth: Booth) -> None:
    add_copies(booth.database, prompts=("p-1", "p-2"))  # of which the second is in the category
    battle, _ = honey_battle(booth, "even")
    assert battle.prompt_id == "p-2"


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("which", ["clip", "copy", "replaced"])
def test_a_pair_whose_clip_or_copy_was_withdrawn_is_shown_no_more(booth: Booth, which: str) -> None:
    ((copy, clip),) = add_copies(booth.database, prompts=("p-1",)).items()
    battle, _ = honey_battle(booth)
    with booth.database.writing() as session:
        found = session.get_one(Clip, copy if which == "copy" else clip)
        if which == "replaced":
            found.sha256 = "0" * 64
        else:
            cause = WithheldCause.OPERATOR
            withhold_clip(session, found, cause=cause, reason="a logo", now=booth.now)
    assert booth.ask().token != battle.token
    for _ in range(4):
        booth.vote("tie")
    with booth.database.reading() as session:
        later = select(Battle.sampler).where(Battle.id > battle.id, Battle.opened_at.is_not(None))
        assert HONEY not in set(session.scalars(later))


@pytest.mark.usefixtures("always")
def test_a_vote_on_a_honey_pair_is_neither_withdrawn_nor_held_nor_released(booth: Booth) -> None:
    add_copies(booth.database)
    with booth.database.writing() as session:
        for prompt in session.scalars(select(Prompt)):
            prompt.held_out = True  # so that votes on pairs can be withdrawn
    battle, clean = honey_battle(booth)
    cast = booth.cast(battle.token, clean)
    with (
        booth.database.writing() as session,
        pytest.raises(NotWithdrawable, match="check"),
    ):
        withdraw_vote(
            session, voter_key=booth.key, token=battle.token, rules=booth.rules, now=booth.now
        )
    with booth.database.writing() as session:
        number = session.scalars(select(Vote.id).where(Vote.receipt == cast.receipt)).one()
        for decide in (hold_votes, release_votes):
            with pytest.raises(BallotError):
                decide(session, Selection(vote_id=number), reason="By hand.", now=booth.now)
        assert hold_votes(session, Selection(voter_id=1), reason="By hand.", now=booth.now) == 3
        votes = session.scalars(select(Vote)).all()
        rules = [verdict.rule for verdict in judge_votes(session, votes).values()]
        assert rules == ["operator"] * 3 + ["honey-pair"]
