// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { voteCells } from "../../arena/web/duel/assets/own-votes.js";

/** @import { OwnVote } from "../../arena/web/duel/assets/api.js" */

/** @type {OwnVote} */
const VOTE = {
  vote_id: 12,
  receipt: "abc",
  track: "text-to-video",
  prompt: "a horse",
  choice: "a",
  cast_at: "2026-11-29T01:02:03.456Z",
  status: "counted",
  hold: null,
  models: ["Ada", "Bell"],
};

test("a row names the answer, the models and the status in words", () => {
  const cells = ["#12", "2026-11-29 01:02:03 UTC", "text-to-video", "a horse", "A is better"];
  assert.deepEqual(voteCells(VOTE), [...cells, "Ada · Bell", "counted", "abc"]);
  assert.equal(voteCells({ ...VOTE, models: null })[5], "hidden");
});
