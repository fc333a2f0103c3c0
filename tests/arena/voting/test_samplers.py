"""The rule `adaptive` draws with the probabilities that it stores; repeats measure reliability."""

import random
from collections import Counter

import pytest
from scipy.stats import binomtest, chisquare
from sqlalchemy import select

from arena.catalog.index import catalog_index
from arena.catalog.track_index import PairChoices, TrackIndex
from arena.database import Database
from arena.models import REPEAT, Battle, Snapshot, Track, Vote
from arena.standings.standings import leaderboard
from arena.voting import answering, requests
from arena.voting.issuing import NOT_REPEATED, REPEAT_AFTER
from arena.voting.limits import VotingRules
from arena.voting.matchmaking import ADAPTIVE, CONTROL_SHARE, UNIFORM, PairChances, draw
from arena.voting.schemas import CastVote, IssuedBattle, VoteForm
from arena.voting.snapshots import last_snapshot
from small_arena import START, TRACK, Booth, stored_track

DRAWS = 100_000
SIGNIFICANCE = 1e-4  # the seed is fixed, so this is deterministic


@pytest.fixture
def index(arena_database: Database) -> TrackIndex:
    with arena_database.reading() as session:
        return catalog_index(session).of(session, stored_track(arena_database).id)


def chances_of(choices: PairChoices, weights: list[float]) -> PairChances:
    return PairChances(dict(zip(choices.pairs, weights, strict=True)))


@pytest.mark.databases("sqlite")
def test_the_stored_probability_is_the_one_that_drew_the_pair(index: TrackIndex) -> None:
    rng = random.Random(11)
    choices = index.choices
    chances = chances_of(choices, [0.6, 0.3, 0.1])
    counts: Counter[tuple[str, int]] = Counter()
    probabilities: dict[tuple[str, int], float] = {}
    for _ in range(DRAWS):
        pair = draw(index, set(), rng, sampler=ADAPTIVE, chances=chances)
        assert pair is not None
        entrants = tuple(sorted(index.clips[clip].entrant_id for clip in pair.clips))
        key = (pair.sampler, choices.pairs.index(entrants))
        counts[key] += 1
        assert probabilities.setdefault(key, pair.probability) == pair.probability
    for sampler in (ADAPTIVE, UNIFORM):
        keys = [(sampler, number) for number in range(3)]
        observed = [counts[key] for key in keys]
        expected = [probabilities[key] * sum(observed) for key in keys]
        assert chisquare(observed, expected).pvalue > SIGNIFICANCE
    assert [probabilities[ADAPTIVE, number] for number in range(3)] == pytest.approx(
        [0.6, 0.3, 0.1]
    )
    controls = sum(count for (sampler, _), count in counts.items() if sampler == UNIFORM)
    assert binomtest(controls, DRAWS, CONTROL_SHARE).pvalue > SIGNIFICANCE
    # Weighted by the inverse of the probability, all pairs count the same in expectation.
    weights = [
        sum(
            counts[sampler, number] / probabilities[sampler, number]
            for sampler in (ADAPTIVE, UNIFORM)
        )
        for number in range(3)
    ]
    assert weights == pytest.approx([DRAWS] * 3, rel=0.05)


@pytest.mark.databases("sqlite")
def test_pairs_that_a_voter_has_used_up_leave_their_probability_to_the_others(
    index: TrackIndex,
) -> None:
    choices = index.choices
    first = choices.pairs[0]
    left, right = choices.clips[first[0]], choices.clips[first[1]]
    seen = {(left[task], right[task]) for task in choices.tasks(first)}
    rng = random.Random(3)
    drawn = {
        (pair.sampler, round(pair.probability, 9))
        for pair in (
            draw(index, seen, rng, sampler=ADAPTIVE, chances=chances_of(choices, [0.6, 0.3, 0.1]))
            for _ in range(500)
        )
        if pair is not None
    }
    assert drawn == {(ADAPTIVE, 0.75), (ADAPTIVE, 0.25), (UNIFORM, 0.5)}


@pytest.mark.databases("sqlite")
def test_an_entrant_newer_than_the_snapshot_gets_the_largest_probability(index: TrackIndex) -> None:
    choices = index.choices
    chances = PairChances({choices.pairs[0]: 1.0})
    rng = random.Random(5)
    drawn = [draw(index, set(), rng, sampler=ADAPTIVE, chances=chances) for _ in range(300)]
    adaptive = {pair.probability for pair in drawn if pair and pair.sampler == ADAPTIVE}
    assert adaptive == {1 / 3}


def use_adaptive(database: Database) -> None:
    with database.writing() as session:
        session.scalars(select(Track).where(Track.name == TRACK)).one().sampler = ADAPTIVE


def test_battles_are_drawn_from_the_last_snapshot(booth: Booth) -> None:
    use_adaptive(booth.database)
    assert booth.ask().token
    for choice in ("a", "b", "tie"):
        booth.vote(choice)
    with booth.database.reading() as session:
        assert set(session.scalars(select(Battle.sampler))) == {UNIFORM}  # without a snapshot
    leaderboard(booth.database, track_name=TRACK, now=booth.now)
    others = [Booth(booth.database, key=f"{number:032d}") for number in range(30)]
    for other in others:
        other.ask()
    with booth.database.reading() as session:
        samplers = Counter(session.scalars(select(Battle.sampler)))
    assert samplers[ADAPTIVE] > samplers[UNIFORM] / 2


def test_each_new_leaderboard_of_a_day_changes_what_is_drawn(booth: Booth) -> None:
    use_adaptive(booth.database)
    track, seen = stored_track(booth.database), []
    for _ in range(3):
        booth.vote("a")
        leaderboard(booth.database, track_name=TRACK, now=booth.now)
        with booth.database.reading() as session:
            stored = session.scalars(select(Snapshot)).one()
            last = last_snapshot(session, track.id)
        pairs = {(low, high): chance for low, high, chance in (stored.sampling or {})["pairs"]}
        assert last.chances is not None
        assert {pair: last.chances.of(pair) for pair in pairs} == pairs
        seen.append(pairs)
    assert seen[0] != seen[1] != seen[2]


def test_some_battles_repeat_an_earlier_one_with_its_sides_swapped(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.voting.issuing.REPEAT_SHARE", 1.0)
    monkeypatch.setattr("arena.voting.issuing.REPEAT_AFTER", 7)  # of twelve pairs
    for _ in range(9):
        booth.vote("a")
    with booth.database.reading() as session:
        repeats = session.scalars(select(Battle).where(Battle.sampler == REPEAT)).all()
        assert repeats
        for repeat in repeats:
            earlier = session.get_one(Battle, repeat.repeat_of)
            assert (repeat.clip_a_id, repeat.clip_b_id) == (earlier.clip_b_id, earlier.clip_a_id)
            assert repeat.prompt_id == earlier.prompt_id
            later = session.scalars(
                select(Vote).where(Vote.battle_id > earlier.id, Vote.battle_id < repeat.id)
            ).all()
            assert len(later) >= NOT_REPEATED - 1


def test_voters_who_have_just_begun_see_no_repeats(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arena.voting.issuing.REPEAT_SHARE", 1.0)
    for _ in range(REPEAT_AFTER - 2):
        booth.vote("tie")
    with booth.database.reading() as session:
        assert session.scalars(select(Battle.repeat_of)).all() == [None] * (REPEAT_AFTER - 1 + 1)


def test_many_voters_are_answered_in_one_transaction_as_one_by_one(
    arena_database: Database,
) -> None:
    rules = VotingRules()
    keys = [f"{number:032d}" for number in range(20)]
    with arena_database.writing() as session:
        issued = answering.answer_requests(
            session, [requests.BattleRequest(key, TRACK, None, rules, START) for key in keys]
        )
    booth = Booth(arena_database)
    booth.wait(2)
    votes = [
        requests.VoteRequest(
            key, requests.expect(IssuedBattle, battle).token, form, rules, booth.now
        )
        for key, battle in zip(keys, issued, strict=True)
        for form in (VoteForm(choice="a", reasons=[]), VoteForm(choice="a", reasons=[]))
    ]
    stranger = requests.VoteRequest("b" * 32, votes[0].token, votes[0].form, rules, booth.now)
    with arena_database.writing() as session:
        *answers, refused = answering.answer_requests(session, [*votes, stranger])
    casts = [requests.expect(CastVote, answer) for answer in answers]
    receipts = [cast.receipt for cast in casts]
    assert receipts[::2] == receipts[1::2]  # a repeated vote is answered by the same receipt
    assert len(set(receipts)) == len(keys)
    assert "no battle with this token" in str(refused)
    with arena_database.reading() as session:
        assert len(session.scalars(select(Vote)).all()) == len(keys)
