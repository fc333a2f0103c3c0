// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  delayStatus,
  errorScreen,
  rejectionStatus,
} from "../../arena/web/duel/assets/error-screens.js";
import { chooseLayout } from "../../arena/web/duel/assets/layout.js";
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

test("a skip is possible from the first picture to the vote, and only once", () => {
  const phases = entries.filter(([, { actions }]) => actions.skip === "skip");
  assert.deepEqual(
    phases.map(([name]) => name),
    ["preview", "watching", "ready"],
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
  for (const type of ["no-pair", "clip", "store-unavailable", "", "__proto__"]) {
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

test("clips stand side by side in a wide window and stacked in a tall one", () => {
  const wide = chooseLayout({ width: 1_240, height: 450, captionHeight: 66, aspect: 1 });
  assert.deepEqual(wide, { layout: "beside", frameHeight: 384 });
  const tall = chooseLayout({ width: 400, height: 700, captionHeight: 66, aspect: 16 / 9 });
  assert.deepEqual(tall, { layout: "stacked", frameHeight: 225 });
  const low = chooseLayout({ width: 1_240, height: 100, captionHeight: 66, aspect: 1 });
  assert.equal(low.frameHeight, 140, "the page scrolls instead");
});
