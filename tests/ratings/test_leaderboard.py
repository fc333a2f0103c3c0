"""The leaderboard: columns, counts, statuses, order, and unratable models."""

import numpy as np
import pandas as pd
import pytest

import ratings

COLUMNS = [
    "rank",
    "rank_lower",
    "rank_upper",
    "model",
    "rating",
    "rating_lower",
    "rating_upper",
    "variance",
    "vote_count",
    "wins",
    "losses",
    "ties",
    "both_bad",
    "win_rate",
    "status",
]
RATED = ["rank", "rank_lower", "rank_upper", "rating", "rating_lower", "rating_upper", "variance"]


def board_of(frame, *, models=(), **options):
    return ratings.leaderboard(ratings.Battles.from_frame(frame, models=models), **options)


def statuses(board):
    return dict(zip(board["model"], board["status"], strict=True))


def test_columns_and_counts(votes_of):
    frame = votes_of({("A", "B"): (60, 30, 5), ("B", "A"): (10, 20, 0), ("C", "A"): (3, 4, 1)})
    bad = pd.DataFrame([("A", "B", "both_bad")], columns=frame.columns)
    board = board_of(pd.concat([frame, bad])).set_index("model", drop=False)
    assert list(board.columns) == COLUMNS == list(ratings.COLUMNS)
    assert board.loc["A", "vote_count":"both_bad"].tolist() == [134, 84, 43, 6, 1]
    assert board.loc["A", "win_rate"] == pytest.approx((84 + 3.5) / 134)
    assert statuses(board) == {"A": "ok", "B": "ok", "C": "preliminary"}
    assert board["vote_count"].sum() == 2 * 134


def test_numbers_come_from_fit_intervals_and_ranks(simulate_votes):
    frame = simulate_votes([0, 5, 300], 400, nu=0.4, random=np.random.default_rng(2))
    battles = ratings.Battles.from_frame(frame)
    board = ratings.leaderboard(battles, ties="davidson", confidence=0.9).set_index("model")
    fit = ratings.bradley_terry(battles, "davidson")
    spread = ratings.intervals(battles, fit, confidence=0.9)
    for name, expected in [
        ("rating", fit.ratings),
        ("rating_lower", spread.lower),
        ("rating_upper", spread.upper),
        ("variance", spread.variance),
    ]:
        assert board[name].to_dict() == pytest.approx(expected.to_dict())
    assert board.index[0] == "m2"
    assert board["rank"].tolist() == [1, 2, 2]
    assert board["rank_upper"].tolist() == [1, 3, 3]
    assert board["rank_lower"].tolist() == [1, 2, 2]


def test_parameters_are_kept(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 1)})
    attrs = board_of(frame, cluster="auto", anchors={"A": 1000}, both_bad="drop").attrs
    assert attrs["cluster"] is None  # no such column: intervals are by vote
    assert attrs["cluster_note"] == "the votes have no voter column"
    with pytest.raises(ratings.OptionError, match="no column 'voter' to cluster by"):
        board_of(frame, cluster="voter")
    assert attrs["anchors"] == {"A": 1000}
    assert (attrs["method"], attrs["ties"], attrs["both_bad"]) == ("bt", "half", "drop")
    assert (attrs["confidence"], attrs["intervals"]) == (0.95, "sandwich")


def test_statuses_of_unrated_models(votes_of):
    frame = votes_of(
        {
            ("A", "B"): (60, 60, 0),
            ("B", "C"): (1, 1, 0),
            ("Up", "A"): (9, 0, 0),
            ("C", "Down"): (3, 0, 0),
            ("X", "Y"): (1, 1, 0),
            ("Mid", "B"): (0, 2, 0),
            ("Mid", "Down"): (2, 0, 0),
        }
    )
    board = board_of(frame, models=["Nobody"])
    assert statuses(board) == {
        "A": "ok",
        "B": "ok",
        "C": "preliminary",
        "Up": "undefeated",
        "Down": "winless",
        "X": "disconnected",
        "Y": "disconnected",
        "Mid": "disconnected",
        "Nobody": "disconnected",
    }
    unrated = board[board["rating"].isna()]
    assert unrated[RATED].isna().all(axis=None)
    assert board["model"].tolist()[3:] == ["Up", "Mid", "Nobody", "X", "Y", "Down"]
    assert board.set_index("model").loc["Nobody", "vote_count"] == 0
    alone = board_of(frame[frame["model_a"].isin(["A", "B"]) & frame["model_b"].isin(["B", "C"])])
    shared = board.dropna(subset="rating")[["model", "rating"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(shared, alone[["model", "rating"]])


def test_dropped_ties_connect_no_models(votes_of):
    frame = votes_of({("A", "B"): (2, 0, 3)})
    assert set(board_of(frame)["status"]) == {"preliminary"}
    assert statuses(board_of(frame, ties="drop")) == {"A": "undefeated", "B": "winless"}


CASES = {
    "no votes": {},
    "one win": {("A", "B"): (1, 0, 0)},
    "one tie": {("A", "B"): (0, 0, 1)},
    "a chain": {("A", "B"): (1, 0, 0), ("B", "C"): (1, 0, 0)},
    "only ties": {("A", "B"): (0, 0, 4), ("B", "C"): (0, 0, 4)},
    "two islands": {("A", "B"): (1, 1, 0), ("C", "D"): (1, 1, 0)},
    "a win and ties": {("A", "B"): (1, 0, 10)},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("ties", ["half", "davidson", "drop"])
@pytest.mark.parametrize("cluster", [None, "voter"])
def test_any_number_of_votes_is_accepted(votes_of, case, ties, cluster):
    frame = votes_of(CASES[case]).assign(voter="v")
    board = board_of(frame, ties=ties, cluster=cluster, models=["A"])
    assert list(board.columns) == COLUMNS
    assert not np.isinf(board.select_dtypes("number").astype(float)).any(axis=None)
    rated = board["rating"].notna()
    assert board.loc[rated, RATED].notna().all(axis=None)
    assert board.loc[rated, "status"].eq("preliminary").all()
    assert board.loc[~rated, RATED].isna().all(axis=None)
    assert not board.loc[~rated, "status"].isin(["ok", "preliminary"]).any()
    assert (board.loc[rated, "rating_upper"] > board.loc[rated, "rating_lower"]).all()


def test_an_empty_table():
    board = board_of(pd.DataFrame())
    assert list(board.columns) == COLUMNS
    assert board.empty


def test_elo_has_no_intervals(votes_of):
    board = board_of(votes_of({("A", "B"): (3, 1, 0), ("C", "A"): (0, 2, 0)}), method="elo")
    assert board["model"].tolist()[0] == "A"
    assert board["rank"].tolist() == [1, 2, 3]
    empty = ["rank_lower", "rank_upper", "rating_lower", "rating_upper", "variance"]
    assert board[empty].isna().all(axis=None)
    held = board_of(votes_of({("A", "B"): (3, 1, 0)}), method="elo", anchors={"A": 1200})
    assert held.set_index("model")["rating"]["A"] == pytest.approx(1200)
    with pytest.raises(ratings.OptionError, match="method must be one of bt, elo, not 'x'"):
        board_of(pd.DataFrame(), method="x")


def test_one_leaderboard_per_value(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 1), ("B", "C"): (3, 3, 0)})
    frame["track"] = ["video-edit"] * 11 + ["text-to-video"] * 6
    board = ratings.leaderboard_by(frame, "track", anchors={"B": 1000})
    assert list(board.columns) == ["track", *COLUMNS]
    assert board["track"].tolist() == ["text-to-video"] * 2 + ["video-edit"] * 2
    part = board_of(frame[frame["track"] == "video-edit"], anchors={"B": 1000})
    pd.testing.assert_frame_equal(board.iloc[2:, 1:].reset_index(drop=True), part)
    assert board.attrs["by"] == "track"
    assert list(ratings.leaderboard_by(frame.iloc[:0], "track").columns) == ["track", *COLUMNS]


def test_parameters_that_differ_are_kept_by_group(votes_of):
    frame = votes_of({("A", "B"): (6, 4, 1), ("B", "A"): (3, 5, 0)})
    frame["language"] = ["de", "en"] * 9 + ["en"]
    attrs = ratings.leaderboard_by(frame, "language", side=True, cluster="auto").attrs
    assert attrs["cluster_note"] == "the votes have no voter column"
    assert "effects" not in attrs
    for language in ("de", "en"):
        part = ratings.Battles.from_frame(frame[frame["language"] == language])
        alone = ratings.leaderboard(part, side=True).attrs["effects"]
        assert attrs["groups"][language]["effects"] == alone


def test_the_leaderboard_as_csv(votes_of):
    board = board_of(votes_of({("A", "B"): (6, 4, 1), ("Z", "A"): (1, 0, 0)}))
    text = board.to_csv(index=False).splitlines()
    assert text[3].startswith(",,,Z,,,,,1,1,0,0,0,1.0,undefeated")
    assert text[1].startswith("1,1,2,A,")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anchors": {"A": np.nan}}, "set to nan, which is not a rating"),
        ({"anchors": {"A": np.inf}}, "set to inf, which is not a rating"),
        ({"prior_sd": np.inf}, "a number above 0 Elo points, not inf"),
        ({"method": "elo", "side": True}, "sequential Elo has no side effect"),
        ({"method": "elo", "rounds": 500}, "sequential Elo has no side effect"),
        ({"method": "elo", "cluster": "model_a"}, "sequential Elo has no side effect"),
    ],
)
def test_invalid_options_are_refused(votes_of, options, message):
    battles = ratings.Battles.from_frame(votes_of({("A", "B"): (3, 2, 0)}))
    with pytest.raises(ratings.OptionError, match=message):
        ratings.leaderboard(battles, **options)


def test_intervals_are_clustered_by_voter_unless_asked_otherwise(votes_of):
    frame = votes_of({("A", "B"): (60, 30, 5), ("B", "C"): (9, 8, 0)})
    frame["evaluation_session_id"] = [f"v{row % 4}" for row in range(len(frame))]
    battles = ratings.Battles.from_frame(frame)
    by_default = ratings.leaderboard(battles)
    assert by_default.attrs["cluster"] == "evaluation_session_id"
    pd.testing.assert_frame_equal(by_default, ratings.leaderboard(battles, cluster="voter"))
    assert ratings.leaderboard(battles, cluster=None).attrs["cluster"] is None
    assert ratings.intervals(battles, ratings.bradley_terry(battles)).cluster is not None
