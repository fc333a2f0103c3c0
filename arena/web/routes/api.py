"""`/api/v1`: tracks, battles, votes, leaderboard, receipts. The rules are in the layers below."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.types import Receive, Scope

from arena.audit.proofs import find_inclusion
from arena.catalog import tracks
from arena.catalog.prompts import count_held_out
from arena.catalog.registration import find_registration
from arena.catalog.variants import Variants, variants_by_name, with_variants
from arena.context import Arena, utc_now
from arena.errors import DatabaseError, MalformedVote, NotFound
from arena.holds.status import judge_votes
from arena.models import OVERALL, Choice, VoterGroup
from arena.standings import standings
from arena.standings.boards import Board, board_csv, board_document
from arena.standings.production_stats import ProductionStats, production_stats
from arena.voting import ballots, reports, requests, withdrawing
from arena.voting.fetches import FetchLedger
from arena.voting.limits import VotingRules
from arena.voting.matchmaking import categories_to_ask_for, is_active
from arena.voting.own_data import MOST_VOTES, own_votes, stored_data
from arena.voting.schemas import BrokenForm, VoteForm
from arena.web.middleware.direct_routes import DirectRoute, read_body
from arena.web.middleware.metrics import Metrics
from arena.web.middleware.problem_details import describe_validation_error
from arena.web.routes.client_address import client_address
from arena.web.routes.clip_urls import ClipUrls
from arena.web.routes.group_commit import GroupCommit
from arena.web.routes.schemas import (
    BattleRequest,
    BattleResponse,
    BrokenResponse,
    LeftResponse,
    MeResponse,
    OwnVotesResponse,
    ReceiptResponse,
    RegistrationResponse,
    TrackResponse,
    VoteResponse,
    WithdrawnResponse,
    battle_document,
    broken_response,
    own_votes_response,
    receipt_response,
    track_response,
    vote_document,
)
from arena.web.routes.writers import WriterPool

VariantsByName = dict[str, Variants]
NO_STORE = {"Cache-Control": "no-store"}
_ANY: TypeAdapter[object] = TypeAdapter(object)


async def _voter_key(request: Request) -> str:  # not a thread of its own for one attribute
    return str(request.state.voter_key)


VoterKey = Annotated[str, Depends(_voter_key)]
VOTE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": VoteForm.model_json_schema()}},
    }
}


def read_vote(body: bytes) -> VoteForm | MalformedVote:
    """Parse a vote. An error is returned, not raised: `ballots` decides which error comes first."""
    try:
        return VoteForm.model_validate_json(body)
    except ValidationError as error:
        return MalformedVote(describe_validation_error(list(error.errors())))


class _Bodies:
    """The leaderboards that were sent last, encoded: most readers get the same bytes."""

    def __init__(self) -> None:
        self._encoded: dict[tuple[object, ...], tuple[Board, bytes]] = {}

    def of(self, board: Board, form: str, read_variants: Callable[[], VariantsByName]) -> bytes:
        """The leaderboard as `json` or `csv`."""
        key = (board.track, board.category, board.voters, form)
        last = self._encoded.get(key)
        if last is not None and last[0] is board:
            return last[1]
        if form == "csv":
            text = board_csv(board)
        else:
            document = with_variants(board_document(board), read_variants())
            text = _encode(document)
        encoded = text.encode()
        self._encoded[key] = board, encoded
        return encoded


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _csv(board: Board, body: bytes) -> Response:
    name = quote(f"leaderboard-{board.track}-{board.category}-{board.voters.group}.csv")
    return Response(
        body,
        media_type="text/csv; charset=utf-8",
        # Percent-encoded (RFC 8187): a category may contain any characters.
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
    )


def _json(content: dict[str, Any] | BaseModel, status: int = 200) -> Response:
    # Not through FastAPI's own conversion, which validates the answer.
    if isinstance(content, BaseModel):
        content = content.model_dump(mode="json")
    return Response(to_json(content), status, NO_STORE, "application/json")


class Votes:
    """What answers requests for battles and votes.

    Args:
        arena: whose votes they are.
        clip_urls: of the battles.
        metrics: count them.
        fetches: what this process sent of clips.
    """

    def __init__(
        self, arena: Arena, *, clip_urls: ClipUrls, metrics: Metrics, fetches: FetchLedger
    ) -> None:
        settings = arena.settings
        self.rules = VotingRules(
            limits=settings.limits,
            watch_time=not settings.limits_off,
            network_limits=settings.network_limits,
            total_limits=settings.total_limits,
        )
        self.commits = GroupCommit(arena.database, fetches)
        self.clip_urls, self.metrics, self.fetches = clip_urls, metrics, fetches
        self._voted = {each: metrics.votes.labels(each.value) for each in Choice}

    async def issue(
        self, voter_key: str, form: BattleRequest, *, address: str | None = None
    ) -> Response:
        """Return the voter's open battle; raises what `ballots.issue_battle` does."""
        battle = await self.commits.issue(
            requests.BattleRequest(
                voter_key=voter_key,
                track_name=form.track,
                category=form.category,
                rules=self.rules,
                now=utc_now(),
                address=address,
            )
        )
        self.metrics.battles.labels(form.track).inc()
        document = battle_document(battle, clip_urls=self.clip_urls, voter_key=voter_key)
        return _json(document, 201)

    async def cast(
        self, voter_key: str, token: str, body: bytes, *, address: str | None = None
    ) -> Response:
        """Store a vote and return the next battle; raises what `ballots.cast_vote` does."""
        cast = await self.commits.vote(
            requests.VoteRequest(
                voter_key=voter_key,
                token=token,
                form=read_vote(body),
                rules=self.rules,
                now=utc_now(),
                address=address,
            )
        )
        self._voted[cast.choice].inc()
        if not cast.watch_checked:
            self.metrics.unchecked_votes.inc()
        return _json(vote_document(cast, clip_urls=self.clip_urls, voter_key=voter_key))

    def close(self) -> None:
        """Store what waits, before the process ends."""
        self.commits.close()
        with suppress(DatabaseError):  # which the database has logged
            self.fetches.store()


def direct_route(votes: Votes) -> DirectRoute:
    """The route of votes, without FastAPI."""

    async def answer(scope: Scope, receive: Receive, token: str) -> Response | None:
        body = await read_body(receive)
        if body is None:
            return None
        voter_key = scope["state"]["voter_key"]
        return await votes.cast(voter_key, token, body, address=client_address(scope))

    return DirectRoute(
        "/api/v1/battles/{token}/vote", frozenset({"POST"}), "[A-Za-z0-9_-]+", answer
    )


def make_router(arena: Arena, votes: Votes) -> APIRouter:
    """The API's routes for one arena."""
    router = APIRouter(prefix="/api/v1")
    writers = WriterPool()
    bodies = _Bodies()
    rules, clip_urls = votes.rules, votes.clip_urls

    @router.get("/tracks")
    def list_tracks() -> list[TrackResponse]:
        """All tracks with their settings, and whether they are open for votes."""
        with arena.database.reading() as session:
            return [
                track_response(
                    track,
                    active=is_active(session, track),
                    categories=standings.known_categories(session, track),
                    battle_categories=categories_to_ask_for(session, track),
                    held_out_prompts=count_held_out(session, track),
                    registration=find_registration(session, track),
                )
                for track in tracks.list_tracks(session)
            ]

    @router.get("/tracks/{name}/registration")
    def get_registration(name: str) -> RegistrationResponse:
        """What a track registered before its first vote, and what changed since."""
        with arena.database.reading() as session:
            found = find_registration(session, tracks.find_track(session, name))
        if found is None:
            raise NotFound(f"The track {name} is not registered.")
        return RegistrationResponse.model_validate(vars(found))

    @router.post("/battles", status_code=201, response_model=BattleResponse)
    async def issue_battle(form: BattleRequest, request: Request) -> Response:
        """The voter's open battle in a track; a new one if none is open."""
        address = client_address(request.scope)
        return await votes.issue(request.state.voter_key, form, address=address)

    @router.post("/battles/{token}/vote", response_model=VoteResponse, openapi_extra=VOTE_BODY)
    async def cast_vote(token: str, request: Request) -> Response:
        """Vote on a battle, once. Returns a receipt, the models' names and the next battle."""
        address = client_address(request.scope)
        body = await request.body()
        return await votes.cast(request.state.voter_key, token, body, address=address)

    @router.delete("/battles/{token}/vote", response_model=WithdrawnResponse)
    @writers.endpoint
    def withdraw_vote(token: str, voter_key: VoterKey) -> Response:
        """Withdraw a vote within ten seconds, if no name was shown. It is stored as held."""
        withdrawn = arena.database.write(
            lambda session: withdrawing.withdraw_vote(
                session, voter_key=voter_key, token=token, rules=rules, now=utc_now()
            )
        )
        return _json(
            {
                **{"choice": withdrawn.choice.value, "receipt": withdrawn.receipt},
                **{"status": withdrawn.verdict.status.value, "hold": withdrawn.verdict.hold},
            }
        )

    @router.post("/battles/{token}/broken")
    @writers.endpoint
    def report_broken(
        token: str, form: BrokenForm, voter_key: VoterKey, response: Response
    ) -> BrokenResponse:
        """Report that a clip or the source does not play. Voids the battle, returns the next."""
        upcoming = reports.report_broken(
            arena.database,
            arena.store,
            voter_key=voter_key,
            token=token,
            form=form,
            rules=rules,
            now=utc_now(),
        )
        response.headers.update(NO_STORE)
        return broken_response(upcoming, clip_urls=clip_urls, voter_key=voter_key)

    @router.get("/leaderboard", response_model=None)
    def get_leaderboard(
        track: str,
        category: str = OVERALL,
        voters: VoterGroup = VoterGroup.PEOPLE,
        format: Literal["json", "csv"] = "json",
    ) -> Response | dict[str, Any]:
        """Ratings with 95% confidence intervals clustered by voter, ranks and counts.

        At most a minute behind the votes; `stale` if a newer one cannot be computed now. Quote
        `rank_lower` to `rank_upper`, which hold for all models at once.
        """
        board = standings.leaderboard(
            arena.database,
            track_name=track,
            category=category,
            voters=voters.kind,
            now=utc_now(),
        )
        body = bodies.of(board, format, read_variants)
        if format == "csv":
            return _csv(board, body)
        return Response(body, media_type="application/json")

    def read_variants() -> VariantsByName:
        try:
            with arena.database.reading() as session:
                return variants_by_name(session)
        except DatabaseError:  # the leaderboard is an earlier one, and shown all the same
            return {}

    @router.get("/production")
    def get_production(track: str) -> list[ProductionStats]:
        """Measured generation time, memory, cost and failure rate of each model in a track."""
        with arena.database.reading() as session:
            return production_stats(session, tracks.find_track(session, track), now=utc_now())

    @router.get("/receipts/{code}")
    def get_receipt(code: str) -> ReceiptResponse:
        """The status of a vote, and the proof that it is sealed."""
        with arena.database.reading() as session:
            vote = ballots.find_receipt(session, code)
            verdict = judge_votes(session, [vote])[vote.id]
            return receipt_response(vote, verdict, find_inclusion(session, vote.id))

    @router.get("/me")
    def get_me(voter_key: VoterKey, response: Response) -> MeResponse:
        """The number of votes and skips of this browser's voter."""
        with arena.database.reading() as session:
            counts = ballots.count_votes(session, voter_key=voter_key)
            tracks = ballots.contributions(session, voter_key=voter_key)
        response.headers.update(NO_STORE)
        skips = counts.get(Choice.SKIP, 0)
        return MeResponse(
            votes=sum(counts.values()) - skips, skips=skips, choices=counts, tracks=tracks
        )

    @router.get("/me/votes", response_model=OwnVotesResponse)
    def get_own_votes(
        voter_key: VoterKey,
        before: int | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_VOTES)] = MOST_VOTES,
    ) -> Response:
        """The votes of this browser's voter, with receipts and what became of them."""
        with arena.database.reading() as session:
            votes = own_votes(session, voter_key=voter_key, before=before, limit=limit)
        return _json(own_votes_response(votes, limit=limit))

    @router.get("/me/data", response_model=None)
    def get_own_data(voter_key: VoterKey) -> Response:
        """Everything that is stored of this browser's voter, as a JSON file."""
        with arena.database.reading() as session:
            body = _ANY.dump_json(stored_data(session, voter_key=voter_key), indent=2)
        headers = NO_STORE | {"Content-Disposition": 'attachment; filename="arena-my-data.json"'}
        return Response(body, media_type="application/json", headers=headers)

    @router.delete("/me", response_model=LeftResponse)
    @writers.endpoint
    def leave(request: Request, voter_key: VoterKey) -> Response:
        """Delete this browser's voter. The votes stay counted, and nobody can tell whose they are.

        Receipts remain valid. The answer carries the cookie of a new voter.
        """
        with arena.database.writing() as session:
            votes = ballots.forget_voter(session, voter_key=voter_key)
        request.state.voter_key = ballots.new_voter_key()
        return _json(LeftResponse(votes=votes))

    return router
