"""The database tables and their enums; each table's docstring names the module that writes it.

On PostgreSQL, here and in migrations, every text column has the collation "C", so that texts sort
by their code points as in SQLite and Python, and every JSON column is JSONB.
"""

from arena.models.ballots import Battle as Battle
from arena.models.ballots import BattleReport as BattleReport
from arena.models.ballots import HoldEvent as HoldEvent
from arena.models.ballots import Visitor as Visitor
from arena.models.ballots import Vote as Vote
from arena.models.ballots import Voter as Voter
from arena.models.base import Base as Base
from arena.models.base import BigId as BigId
from arena.models.base import JsonDocument as JsonDocument
from arena.models.base import UtcDateTime as UtcDateTime
from arena.models.budgets import Completion as Completion
from arena.models.budgets import CompletionProgress as CompletionProgress
from arena.models.budgets import IssuedTo as IssuedTo
from arena.models.budgets import NetworkSalt as NetworkSalt
from arena.models.catalog import CatalogVersion as CatalogVersion
from arena.models.catalog import Deviation as Deviation
from arena.models.catalog import Entrant as Entrant
from arena.models.catalog import EntrantTrack as EntrantTrack
from arena.models.catalog import Prompt as Prompt
from arena.models.catalog import PromptCategory as PromptCategory
from arena.models.catalog import PromptTrack as PromptTrack
from arena.models.catalog import PublishedOpening as PublishedOpening
from arena.models.catalog import Registration as Registration
from arena.models.catalog import Track as Track
from arena.models.clips import Clip as Clip
from arena.models.clips import ClipOrder as ClipOrder
from arena.models.clips import WithheldClip as WithheldClip
from arena.models.enums import FINGERPRINT_LENGTH as FINGERPRINT_LENGTH
from arena.models.enums import KEY_LENGTH as KEY_LENGTH
from arena.models.enums import MEDIA_TYPE_LENGTH as MEDIA_TYPE_LENGTH
from arena.models.enums import NAME_LENGTH as NAME_LENGTH
from arena.models.enums import NETWORK_LENGTH as NETWORK_LENGTH
from arena.models.enums import PROMPT_REWRITING as PROMPT_REWRITING
from arena.models.enums import REASON_LENGTH as REASON_LENGTH
from arena.models.enums import REPEAT as REPEAT
from arena.models.enums import REPORT_LENGTH as REPORT_LENGTH
from arena.models.enums import RULE_LENGTH as RULE_LENGTH
from arena.models.enums import SAMPLERS as SAMPLERS
from arena.models.enums import BattleFile as BattleFile
from arena.models.enums import BattleState as BattleState
from arena.models.enums import Choice as Choice
from arena.models.enums import ClipStatus as ClipStatus
from arena.models.enums import HoldKind as HoldKind
from arena.models.enums import HoldRule as HoldRule
from arena.models.enums import Modality as Modality
from arena.models.enums import OrderState as OrderState
from arena.models.enums import Reveal as Reveal
from arena.models.enums import Side as Side
from arena.models.enums import VoteStatus as VoteStatus
from arena.models.enums import WithheldCause as WithheldCause
from arena.models.seals import Seal as Seal
from arena.models.seals import SealedClip as SealedClip
from arena.models.seals import SealedEntry as SealedEntry
from arena.models.seals import SealKey as SealKey
from arena.models.seals import SealTile as SealTile
from arena.models.standings import Lease as Lease
from arena.models.standings import Snapshot as Snapshot
from arena.models.standings import Standing as Standing
from arena.voter_kinds import OVERALL as OVERALL
from arena.voter_kinds import VoterGroup as VoterGroup
from arena.voter_kinds import VoterKind as VoterKind
