// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { WITHDRAW_S, Withdrawal } from "../../arena/web/duel/assets/withdrawal.js";

/** @param {(token: string) => Promise<unknown>} withdraw */
function offered(withdraw) {
  /** @type {(string | null)[]} */
  const labels = [];
  /** @type {string[]} */
  const texts = [];
  /** @type {(() => void)[]} */
  const timers = [];
  let withdrawn = 0;
  const withdrawal = new Withdrawal({
    withdraw,
    show: (label) => labels.push(label),
    onStatus: (text) => texts.push(text),
    onWithdrawn: () => {
      withdrawn += 1;
    },
    setTimer: (done) => timers.push(done),
  });
  const pass = () => timers.shift()?.();
  return { withdrawal, labels, texts, pass, count: () => withdrawn };
}

test("a vote can be withdrawn once, while it is on offer", async () => {
  /** @type {string[]} */
  const tokens = [];
  const page = offered(async (token) => tokens.push(token));
  await page.withdrawal.run();
  page.withdrawal.offer("first");
  await page.withdrawal.run();
  await page.withdrawal.run();
  assert.deepEqual(tokens, ["first"]);
  assert.equal(page.labels.at(-1), null);
  assert.equal(page.count(), 1);
  assert.match(page.texts[0] ?? "", /withdrawn/);
});

test("the offer counts down, and ends after ten seconds", async () => {
  const page = offered(async () => assert.fail("too late"));
  page.withdrawal.offer("first");
  assert.equal(page.labels.at(-1), `Withdraw last vote (${WITHDRAW_S} s)`);
  for (let second = 0; second < WITHDRAW_S; second += 1) page.pass();
  assert.equal(page.labels.at(-1), null);
  await page.withdrawal.run();
});

test("a later vote takes the place of the one before", async () => {
  /** @type {string[]} */
  const tokens = [];
  const page = offered(async (token) => tokens.push(token));
  page.withdrawal.offer("first");
  page.withdrawal.offer("second");
  page.pass(); // the timer of the first offer does nothing
  assert.equal(page.labels.at(-1), `Withdraw last vote (${WITHDRAW_S} s)`);
  await page.withdrawal.run();
  assert.deepEqual(tokens, ["second"]);
});

test("a refusal is shown", async () => {
  const page = offered(async () => Promise.reject(new Error("Too late.")));
  page.withdrawal.offer("first");
  await page.withdrawal.run();
  assert.deepEqual(page.texts, ["Too late."]);
  assert.equal(page.count(), 0);
});
