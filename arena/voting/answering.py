"""Answers requests for battles and votes, of many voters in one transaction.

What is stored of the voters and battles is read by a few statements for all of them, each request
is decided by itself, and all changes are written together. What a request costs depends on the
voter's own battles and votes, and on nothing else that is stored.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from arena.catalog.index import CatalogIndex, catalog_index
from arena.catalog.track_index import MIN_CATEGORY_PROMPTS, IndexedTrack, TrackIndex
from arena.catalog.tracks import check_category, find_track
from arena.errors import (
    ArenaError,
    MalformedVote,
    NoPair,
    NotFound,
    SmallCategory,
)
from arena.holds.ledger import Event, last_events
from arena.holds.status import judge
from arena.models import OVERALL, BattleState, Choice, VoterKind
from arena.text import pluralize
from arena.voting import battles
from arena.voting.battles import (
    BattleRow,
    VoteRow,
    VoterTrack,
    index_with,
)
from arena.voting.budgets import Budgets
from arena.voting.contributions import contributions
from arena.voting.fetches import FetchLedger, fetches_of
from arena.voting.issuing import Issuer, VoterBattles, describe, read_voter_battles, system_rng
from arena.voting.limits import VotingRules, check_limits, check_watch_time, may_exceed_limits
from arena.voting.requests import Answer, BallotRequest, BattleRequest, VoteRequest
from arena.voting.reveals import reveal, reveals
from arena.voting.schemas import CastVote, VoteForm
from arena.voting.snapshots import LastSnapshot, last_snapshot
from arena.voting.voters import VoterRow, make_voters, read_voters, store_visitors
from arena.voting.votes import (
    check_answerable,
    check_reasons,
    check_repeated,
    new_vote,
    store_votes,
)
from arena.voting.watching import judge_times

_Answered = tuple[BattleRow, VoteRow | None]  # a battle, and the vote that it has


def answer_requests(
    session: Session,
    requests: Sequence[BallotRequest],
    *,
    fetches: FetchLedger | None = None,
    rng: random.Random | None = None,
) -> list[Answer]:
    """Answer many requests in one transaction, as if they came one after the other.

    Args:
        session: in a transaction that writes.
        requests: of any voters.
        fetches: what this process sent of clips; None if it is not known what was sent.
        rng: draws pairs and sides; by default one that nobody can predict.

    Returns:
        An answer to each request, in their order: of a request that is refused, its error, and
        nothing is stored for it.
    """
    session.flush()
    rng = rng or system_rng()
    answers: dict[int, Answer] = {}
    waiting = list(enumerate(requests))
    budgets = _budgets(session, requests)
    while waiting:
        # One request of each voter at a time: the next one depends on what this one stores.
        of_voter: dict[str, tuple[int, BallotRequest]] = {}
        later = []
        for numbered in waiting:
            if of_voter.setdefault(numbered[1].voter_key, numbered) is not numbered:
                later.append(numbered)
        numbers, now_answered = zip(*of_voter.values(), strict=True)
        answers.update(
            zip(numbers, _Round(session, now_answered, fetches, rng, budgets).answer(), strict=True)
        )
        waiting = later
    for each in budgets.values():
        each.store()
    return [answers[number] for number in range(len(requests))]


def _budgets(session: Session, requests: Sequence[BallotRequest]) -> dict[VotingRules, Budgets]:
    """Return the budgets of requests, by their rules; nearly always these are the same."""
    by_rules: dict[VotingRules, list[BallotRequest]] = defaultdict(list)
    for request in requests:
        by_rules[request.rules].append(request)
    return {
        rules: Budgets(
            session, rules, [each.address for each in some], now=max(each.now for each in some)
        )
        for rules, some in by_rules.items()
    }


@dataclass
class _Case:
    """A request with what is stored of its voter and battle, and what is to be stored."""

    request: BallotRequest
    voter: VoterRow
    battles: VoterBattles
    battle: BattleRow | None = None  # the battle that is answered; None in a request for one
    vote: VoteRow | None = None  # the vote that this battle has, or gets
    is_new_vote: bool = False
    opened: BattleRow | None = None

    @property
    def is_skip(self) -> bool:
        return self.vote is not None and self.vote["choice"] is Choice.SKIP


class _Round:
    """Answers requests of different voters: reads for all, decides one by one, writes for all."""

    def __init__(
        self,
        session: Session,
        requests: Sequence[BallotRequest],
        fetches: FetchLedger | None,
        rng: random.Random,
        budgets: Mapping[VotingRules, Budgets],
    ) -> None:
        self.session, self.requests = session, requests
        self.fetches, self.rng, self.budgets = fetches, rng, budgets
        self.index: CatalogIndex = catalog_index(session)
        self.snapshots: dict[int, LastSnapshot] = {}
        self.suspects: set[int] = set()
        self.events: dict[int, Event] = {}  # the last about each vote that is repeated

    def answer(self) -> list[Answer]:
        found = self._find()
        self._read_limits(found)
        outcomes: list[_Case | ArenaError] = []
        for each in found:
            try:
                if isinstance(each, _Case):
                    self._decide(each)
                    self._count(each)
                outcomes.append(each)
            except ArenaError as error:
                outcomes.append(error)
        self._store([each for each in outcomes if isinstance(each, _Case)])
        return [self._describe(each) if isinstance(each, _Case) else each for each in outcomes]

    # --- read -------------------------------------------------------------------------------------

    def _find(self) -> list[_Case | ArenaError]:
        voters = read_voters(self.session, [request.voter_key for request in self.requests])
        live = battles.read_live(self.session, sorted(voter.id for voter in voters.values()))
        by_token = self._read_answered(live)
        known = [row for rows in live.values() for row in rows]
        known += [battle for battle, _ in by_token.values()]
        self.index = index_with(self.session, self.index, known)
        found: list[tuple[BallotRequest, VoterRow, int, _Answered | None] | ArenaError] = []
        for request in self.requests:
            voter = voters.get(request.voter_key)
            try:
                if isinstance(request, VoteRequest):
                    answered = by_token.get(request.token)
                    if voter is None or answered is None or answered[0].voter_id != voter.id:
                        raise NotFound("You have no battle with this token.")
                    found.append((request, voter, answered[0].track_id, answered))
                else:
                    voter = voter or VoterRow(0, request.voter_key, VoterKind.PERSON)
                    found.append((request, voter, self._track_of(request).id, None))
            except ArenaError as error:
                found.append(error)
        keys = [
            (each[1].id, each[2])
            for each in found
            if not isinstance(each, ArenaError) and each[1].id
        ]
        stored = read_voter_battles(self.session, self.index, keys, live)
        return [
            each if isinstance(each, ArenaError) else self._case(*each, stored) for each in found
        ]

    def _read_answered(self, live: Mapping[int, Sequence[BattleRow]]) -> dict[str, _Answered]:
        """Return the battles that votes name, and their votes, by token.

        Nearly always these are the open battles of their voters, which have no vote.
        """
        is_live = {row.token: row for rows in live.values() for row in rows}
        tokens = [each.token for each in self.requests if isinstance(each, VoteRequest)]
        found: dict[str, _Answered] = {
            token: (is_live[token], None) for token in tokens if token in is_live
        }
        others = [token for token in tokens if token not in is_live]
        if others:
            found |= battles.read_by_token(self.session, others)
            known = [vote["id"] for _, vote in found.values() if vote is not None]
            self.events = last_events(self.session, known)
        return found

    def _track_of(self, request: BattleRequest) -> IndexedTrack:
        track = self.index.tracks_by_name.get(request.track_name)
        if track is None:  # unknown, or newer than the index
            track = self.index.tracks.get(find_track(self.session, request.track_name).id)
        if track is None:
            self.index = catalog_index(self.session, exact=True)
            track = self.index.tracks_by_name[request.track_name]
        return track

    def _case(
        self,
        request: BallotRequest,
        voter: VoterRow,
        track_id: int,
        answered: _Answered | None,
        stored: dict[VoterTrack, VoterBattles],
    ) -> _Case:
        of_voter = stored.get((voter.id, track_id))
        if of_voter is None:
            of_voter = VoterBattles(0, self.index.of(self.session, track_id))
        return _Case(request, voter, of_voter, *(answered or (None, None)))

    def _read_limits(self, found: Sequence[_Case | ArenaError]) -> None:
        by_rules: dict[VotingRules, list[_Case]] = defaultdict(list)
        for each in found:
            if isinstance(each, _Case) and each.battle is not None and each.vote is None:
                by_rules[each.request.rules].append(each)
        for rules, cases in by_rules.items():
            voter_ids = [each.voter.id for each in cases]
            now = min(each.request.now for each in cases)
            self.suspects |= may_exceed_limits(self.session, voter_ids, rules=rules, now=now)

    # --- decide -----------------------------------------------------------------------------------

    def _decide(self, each: _Case) -> None:
        request = each.request
        if isinstance(request, VoteRequest):
            if each.battle is not None:
                self._answer_battle(each, each.battle, request)
            return
        category = None if request.category == OVERALL else request.category
        track = each.battles.track
        if category is not None and not track.choices_of(category).clips:
            check_category(self.session, find_track(self.session, request.track_name), category)
        if category is not None and track.choices.pairs and not track.may_ask_for(category):
            prompts = pluralize(track.choices_of(category).prompts, "prompt")
            raise SmallCategory(
                f"The category {category} has clips of only {prompts} in the track "
                f"{track.track.name}, and a category needs {MIN_CATEGORY_PROMPTS} to be asked for: "
                "ask for another one, or for none."
            )
        issuer = self._issuer(each)
        each.opened = issuer.open_next(each.battles, category)
        if each.opened is None:
            raise issuer.refusal or _no_pair(self.session, request, category)

    def _count(self, each: _Case) -> None:
        self.budgets[each.request.rules].note(
            each.request.address,
            issued=sum(not battle.id for battle in each.battles.changed),
            votes=int(each.is_new_vote and not each.is_skip),
        )

    def _answer_battle(self, each: _Case, battle: BattleRow, request: VoteRequest) -> None:
        if each.vote is None:
            self._accept(each, battle, request)
        else:
            check_repeated(each.vote, request.form)
        each.opened = self._issuer(each).open_after(each.battles, battle)

    def _issuer(self, each: _Case) -> Issuer:
        snapshot = self._snapshot(each.battles.track)
        has_voted = each.voter.is_stored or each.is_new_vote
        budgets = self.budgets[each.request.rules]
        refusal = budgets.refusal(each.request.address, has_voted=has_voted)
        return Issuer(self.session, snapshot, each.request.now, self.rng, refusal)

    def _snapshot(self, track: TrackIndex) -> LastSnapshot:
        track_id = track.track.id
        if track_id not in self.snapshots:
            self.snapshots[track_id] = last_snapshot(self.session, track_id)
        return self.snapshots[track_id]

    def _accept(self, each: _Case, battle: BattleRow, request: VoteRequest) -> None:
        form, rules, now = request.form, request.rules, request.now
        track = each.battles.track.track
        check_answerable(battle, now, withdrawn=each.battles.is_withdrawn(battle))
        check_watch_time(battle.opened_at, track.min_watch_ms, form=form, rules=rules, now=now)
        is_skip = isinstance(form, VoteForm) and form.choice is Choice.SKIP
        if is_skip or each.voter.id in self.suspects:
            check_limits(self.session, each.voter, form=form, rules=rules, now=now)
        if isinstance(form, MalformedVote):
            raise form
        check_reasons(track, form)
        each.vote = self._new_vote(each, battle, form, request)
        each.is_new_vote = True
        each.battles.change(battle, BattleState.ANSWERED)

    def _new_vote(
        self, each: _Case, battle: BattleRow, form: VoteForm, request: VoteRequest
    ) -> VoteRow:
        track, now = each.battles.track, request.now
        sent = None if self.fetches is None else fetches_of(battle, self.fetches)
        times = judge_times(battle, track.track, form, fetches=sent, rules=request.rules, now=now)
        shown: Sequence[float | None] = (None, None)
        prompt = self.index.prompts[battle.prompt_id]
        if reveals(track.track, prompt, sampler=battle.sampler, choice=form.choice):
            rated = self._snapshot(track).ratings
            shown = [
                rated.get(track.clips[clip_id].entrant_id)
                for clip_id in (battle.clip_a_id, battle.clip_b_id)
            ]
        return new_vote(battle, form, times=times, shown_ratings=shown, now=now)

    # --- write ------------------------------------------------------------------------------------

    def _store(self, cases: Sequence[_Case]) -> None:
        new = [each for each in cases if not each.voter.id]
        times = [each.request.now for each in new]
        store_visitors(self.session, [each.voter for each in new], times)
        for each in new:
            each.battles.voter_id = each.voter.id
            for battle in each.battles.changed:
                battle.voter_id = each.voter.id
        first = [each for each in cases if each.is_new_vote and not each.voter.is_stored]
        times = [each.request.now for each in first]
        make_voters(self.session, [each.voter for each in first], times)
        battles.store(self.session, [row for each in cases for row in each.battles.changed])
        votes = [each.vote for each in cases if each.is_new_vote and each.vote]
        store_votes(self.session, votes)

    def _describe(self, each: _Case) -> Answer:
        rules, battle, vote = each.request.rules, each.battle, each.vote
        opened = None
        if each.opened is not None:
            opened = describe(self.index, each.battles, each.opened, rules)
        if battle is None or vote is None:
            return opened or NoPair("There is no pair to show.")
        shown = (vote["shown_rating_a"], vote["shown_rating_b"])
        last = None if each.is_new_vote else self.events.get(vote["id"])
        verdict = judge(
            vote["choice"], picture_only=vote["picture_only"], sampler=battle.sampler, last=last
        )
        return CastVote(
            choice=vote["choice"],
            receipt=vote["receipt"],
            watch_checked=vote["watch_checked"] is not False,
            status=verdict.status.value,
            hold=verdict.hold,
            reveal=reveal(self.index, each.battles.track, battle, vote["choice"], shown),
            next=opened,
        )


def _no_pair(session: Session, request: BattleRequest, category: str | None) -> NoPair:
    within = "" if category is None else f" in the category {category}"
    contributed = [asdict(part) for part in contributions(session, voter_key=request.voter_key)]
    shown = any(part["track"] == request.track_name for part in contributed)
    state = "You have seen every pair in" if shown else "There is no pair to show in"
    return NoPair(
        f"{state} the track {request.track_name}{within}: come back when it has new clips, or vote "
        "in another track.",
        contributed=contributed,
    )
