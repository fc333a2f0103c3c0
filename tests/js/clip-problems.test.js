// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../arena/web/duel/assets/api.js";
import { reportBroken } from "../../arena/web/duel/assets/broken-pairs.js";
import {
  MAX_RELOADS,
  probeClip,
  waitUntilPlayable,
} from "../../arena/web/duel/assets/clip-problems.js";

/** @import { Battle } from "../../arena/web/duel/assets/api.js" */
/** @import { Finding } from "../../arena/web/duel/assets/clip-problems.js" */
/** @import { Part } from "../../arena/web/duel/assets/pair.js" */

class FakePair {
  isLoaded = false;
  canStart = false;
  /** @type {Set<Part>} */
  failed = new Set();
  loadProgress = "";
  /** @type {Part[]} */
  reloads = [];
  /** What happens while the page waits, once for each wait. @type {(() => void)[]} */
  waits = [];

  async whenLoaded() {
    this.waits.shift()?.();
  }

  /** @returns {Part} */
  get pendingPart() {
    return [...this.failed][0] ?? "b";
  }

  /** @param {Part} part */
  addressOf(part) {
    return `/clip/${part}`;
  }

  /** @param {Part} part */
  reload(part) {
    this.reloads.push(part);
    this.failed.delete(part);
  }
}

/**
 * Wait for a pair of which the arena says this, in turn; the last finding is repeated.
 * @param {FakePair} pair
 * @param {Finding[]} findings
 * @param {() => boolean} [isCurrent]
 */
async function waitWith(pair, findings, isCurrent = () => true) {
  /** @type {string[]} */
  const events = [];
  const outcome = await waitUntilPlayable(pair, {
    isCurrent,
    probe: async (url) => {
      events.push(`probe ${url}`);
      return (findings.length > 1 ? findings.shift() : findings[0]) ?? "ok";
    },
    sleep: async (ms) => events.push(`sleep ${ms}`),
    onWait: (finding) => events.push(finding),
  });
  return { outcome, events };
}

test("a pair that loads can play, and nothing is asked", async () => {
  const pair = new FakePair();
  pair.waits = [() => Object.assign(pair, { isLoaded: true })];
  assert.deepEqual(await waitWith(pair, []), { outcome: null, events: [] });
});

test("a slow pair is waited for while data arrive, and started with what it has", async () => {
  const pair = new FakePair();
  pair.waits = ["1", "2", "3"].map((loadProgress) => () => Object.assign(pair, { loadProgress }));
  pair.waits.push(() => Object.assign(pair, { canStart: true }));
  assert.deepEqual(await waitWith(pair, []), { outcome: null, events: [] });
});

test("a clip that is gone is broken at once", async () => {
  const pair = new FakePair();
  pair.failed.add("a");
  const { outcome, events } = await waitWith(pair, ["HTTP 404"]);
  assert.deepEqual(outcome, { part: "a", reason: "HTTP 404", status: 404 });
  assert.deepEqual(events, ["probe /clip/a"]);
});

for (const [failed, finding, reason] of /** @type {const} */ ([
  [true, "ok", "cannot be decoded"],
  [false, "ok", "stalled while loading"],
  [true, "network", "the connection broke off"],
])) {
  test(`a clip is loaded again before it is broken: ${reason}`, async () => {
    const pair = new FakePair();
    const fail = () => failed && pair.failed.add("a");
    pair.waits = Array(9).fill(fail);
    const { outcome } = await waitWith(pair, [finding]);
    assert.deepEqual(outcome, { part: failed ? "a" : "b", reason, status: 0 });
    assert.equal(pair.reloads.length, MAX_RELOADS);
  });
}

test("without a connection the pair is kept, however long that takes", async () => {
  const pair = new FakePair();
  pair.waits = Array(8).fill(() => pair.failed.add("a"));
  pair.waits.push(() => Object.assign(pair, { isLoaded: true }));
  const { outcome, events } = await waitWith(pair, ["offline", "unavailable", "offline"]);
  assert.equal(outcome, null);
  assert.equal(events.filter((event) => event === "offline").length, 7);
  assert.deepEqual(events.slice(0, 3), ["probe /clip/a", "offline", "sleep 1000"]);
  assert.equal(events.at(-1), "sleep 8000");
});

test("another battle that took over ends the wait", async () => {
  const pair = new FakePair();
  assert.equal((await waitWith(pair, [], () => false)).outcome, "replaced");
});

test("a probe tells the clip from the arena and the connection", async () => {
  /** @param {(url: string) => number} statusOf 0: no response */
  const probe = (statusOf) =>
    probeClip("/clip/a", async (url) => {
      const status = statusOf(String(url));
      if (status === 0) throw new TypeError("failed to fetch");
      return new Response(null, { status });
    });
  assert.equal(await probe(() => 206), "ok");
  assert.equal(await probe(() => 404), "HTTP 404");
  assert.equal(await probe(() => 500), "HTTP 500");
  assert.equal(await probe(() => 503), "unavailable");
  assert.equal(await probe(() => 0), "offline");
  assert.equal(await probe((url) => (url.endsWith("healthz") ? 200 : 0)), "network");
  assert.equal(await probe((url) => (url.endsWith("healthz") ? 503 : 0)), "offline");
});

test("a report returns the next battle; none where this one is void already", async () => {
  const battle = /** @type {Battle} */ ({ token: "t" });
  const broken = /** @type {const} */ ({ part: "source", reason: "HTTP 404", status: 404 });
  /** @param {Error | null} error */
  const report = (error) =>
    reportBroken(
      {
        reportBroken: async (...sent) => {
          assert.deepEqual(sent, ["t", "source", "HTTP 404"]);
          if (error) throw error;
          return { next: battle };
        },
      },
      battle,
      broken,
    );
  assert.equal(await report(null), battle);
  assert.equal(await report(new ApiError(409, "already-voted", "")), null);
  await assert.rejects(report(new ApiError(429, "too-many", "")), { status: 429 });
  await assert.rejects(report(new ApiError(0, "offline", "")), { status: 0 });
});
