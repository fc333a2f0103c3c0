// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  contributionText,
  delayStatus,
  errorScreen,
  missingStatus,
  rejectionStatus,
} from "../../arena/web/duel/assets/error-screens.js";
import { PHASES } from "../../arena/web/duel/assets/phases.js";

const entries = Object.entries(PHASES);

test("a vote is possible in one phase only: when both clips were watched", () => {
  const phases = entries.filter(([, { actions }]) => Object.values(actions).includes("vote"));
  assert.deepEqual(
    phases.map(([name]) => name),
    ["ready"],
  );
  assert.ok(PHASES.ready.enabled.includes("choice"));
});

test("a skip is possible from the first request for clips to the vote, and only once", () => {
  const phases = entries.filter(([, { actions }]) => actions.skip === "skip");
  assert.deepEqual(
    phases.map(([name]) => name),
    ["loading", "preview", "watching", "ready"],
  );
});

test("an enabled button does something", () => {
  for (const [name, { enabled, actions }] of entries) {
    for (const button of enabled) assert.ok(actions[button], `${button} in ${name}`);
  }
});

test("in the preview every key but skip starts the clips from the beginning", () => {
  const { skip, ...others } = PHASES.preview.actions;
  assert.equal(skip, "skip");
  assert.deepEqual(new Set(Object.values(others)), new Set(["start"]));
});

test("every failure has a title, a text where the server gave one, and a way on", () => {
  for (const type of [
    "no-pair",
    "no-track",
    "cookie",
    "format",
    "clips",
    "store-unavailable",
    "",
    "__proto__",
  ]) {
    for (const status of [0, 404, 409, 429, 500, 503]) {
      const screen = errorScreen({ status, type, message: "Wait 3 s." });
      assert.ok(screen.title && screen.text && screen.action, `${type} ${status}`);
    }
  }
  assert.equal(
    errorScreen({ status: 409, type: "no-pair", message: "" }).title,
    "You have seen every pair in this track",
  );
  assert.match(delayStatus({ kind: "rate-limit", seconds: 4 }), /in 4 s/);
  assert.equal(rejectionStatus({ status: 422, type: "", message: "As sent." }), "As sent.");
});

test("the end says what the voter contributed", () => {
  assert.match(contributionText({ votes: 1, skips: 0 }), /1 vote /);
  assert.match(contributionText({ votes: 12, skips: 3 }), /12 votes /);
  assert.match(contributionText({ votes: 0, skips: 3 }), /not voted/);
});

test("a voter who votes too early learns which clip to watch or to hear", () => {
  /** @param {string[]} done @param {boolean} mustHear */
  const missing = (done, mustHear) =>
    missingStatus((side, sense) => done.includes(`${side} ${sense}`), mustHear);
  assert.match(missing([], true), /Watch both clips/);
  assert.match(missing(["a watched"], true), /Watch clip B/);
  assert.match(missing(["a watched", "b watched"], true), /Listen to both/);
  assert.match(missing(["a watched", "b watched", "b heard"], true), /Listen to clip A/);
  assert.match(missing(["a watched", "b watched"], false), /You can vote now/);
});
