// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { Api, ApiError } from "../../arena/web/duel/assets/api.js";
import { Outbox, RETRY_MS } from "../../arena/web/duel/assets/outbox.js";
import { ManualTimers, memoryStorage, settle } from "./fakes.js";

/** @import { Ballot, Choice, VoteResult } from "../../arena/web/duel/assets/api.js" */

/** @param {Choice} [choice] @returns {Ballot} */
const ballot = (choice = "a") => ({
  choice,
  watched_ms: { a: 1000, b: 1000 },
  heard_ms: { a: 1000, b: 0 },
});
/** @type {VoteResult} */
const STORED = { choice: "a", receipt: "r", reveal: null, next: null };
const OFFLINE = new ApiError(0, "offline", "");

/**
 * An outbox whose server gives these responses in turn, then stores every vote.
 * @param {(VoteResult | Error)[]} [responses]
 * @param {import("../../arena/web/duel/assets/storage.js").KeyValueStorage} [storage]
 */
function outboxWith(responses = [], storage = memoryStorage()) {
  const timers = new ManualTimers();
  /** @type {[token: string, vote: Ballot][]} */
  const sent = [];
  /** @type {string[]} */
  const events = [];
  const outbox = new Outbox({
    castVote: async (token, vote) => {
      sent.push([token, vote]);
      const response = responses.shift() ?? STORED;
      if (response instanceof Error) throw response;
      return response;
    },
    sleep: timers.sleep,
    storage,
    onDelay: ({ kind, seconds }) => events.push(`${kind} ${seconds}`),
    onDelivered: () => events.push("delivered"),
  });
  return { outbox, timers, sent, events, storage };
}

test("a vote is delivered once and then forgotten", async () => {
  const { outbox, sent, events, storage, timers } = outboxWith();
  assert.equal(await outbox.post("t", ballot()), STORED);
  assert.deepEqual(sent, [["t", ballot()]]);
  assert.equal(storage.length, 0);
  assert.deepEqual([events, timers.delaysMs], [[], []]);
});

test("votes are sent in order, one at a time", async () => {
  const { outbox, sent, timers } = outboxWith([OFFLINE]);
  const first = outbox.post("first", ballot("a"));
  const second = outbox.post("second", ballot("b"));
  await settle();
  assert.deepEqual(
    sent.map(([token]) => token),
    ["first"],
  );
  await timers.elapse();
  await Promise.all([first, second]);
  assert.deepEqual(
    sent.map(([token]) => token),
    ["first", "first", "second"],
  );
});

test("425: the vote is sent again after Retry-After, unnoticed", async () => {
  const { outbox, sent, timers, events } = outboxWith([
    new ApiError(425, "too-early", "", 3),
    new ApiError(425, "too-early", ""),
  ]);
  const delivery = outbox.post("t", ballot());
  await settle();
  assert.deepEqual(timers.delaysMs, [3_000]);
  assert.equal(sent.length, 1);
  await timers.elapse();
  assert.deepEqual(timers.delaysMs, [3_000, 1_000]);
  await timers.elapse();
  assert.equal(await delivery, STORED);
  assert.deepEqual(events, ["delivered"]);
});

test("429: the vote waits for Retry-After, and the voter sees how long", async () => {
  const { outbox, timers, events } = outboxWith([
    new ApiError(429, "too-many", "", 17),
    new ApiError(429, "too-many", ""),
  ]);
  const delivery = outbox.post("t", ballot());
  await settle();
  assert.deepEqual([timers.delaysMs, events], [[17_000], ["rate-limit 17"]]);
  await timers.elapse();
  assert.deepEqual(timers.delaysMs, [17_000, 5_000]);
  await timers.elapse();
  assert.equal(await delivery, STORED);
});

test("429 for a skip is the voter's to decide: it is not sent again", async () => {
  const error = new ApiError(429, "too-many", "", 17);
  const { outbox, sent, timers, storage } = outboxWith([error]);
  await assert.rejects(outbox.post("t", ballot("skip")), error);
  assert.deepEqual([sent.length, timers.delaysMs], [1, []]);
  assert.equal(storage.length, 0);
});

test("offline: retried at growing intervals until it is delivered", async () => {
  const failures = RETRY_MS.length + 2;
  const { outbox, timers, events } = outboxWith(Array(failures).fill(OFFLINE));
  const delivery = outbox.post("t", ballot());
  await settle();
  for (let count = 0; count < failures; count += 1) await timers.elapse();
  assert.equal(await delivery, STORED);
  assert.deepEqual(timers.delaysMs, [...RETRY_MS, 15_000, 15_000]);
  assert.deepEqual([events[0], events.at(-1)], ["offline 1", "delivered"]);
});

test("a server error is retried and reported as unavailable", async () => {
  const { outbox, timers, events } = outboxWith([new ApiError(503, "store-unavailable", "")]);
  const delivery = outbox.post("t", ballot());
  await settle();
  assert.deepEqual(events, ["unavailable 1"]);
  await timers.elapse();
  assert.equal(await delivery, STORED);
});

test("back online: retried at once, without the timer", async () => {
  const { outbox, sent } = outboxWith([OFFLINE]);
  const delivery = outbox.post("t", ballot());
  await settle();
  outbox.retryNow();
  assert.equal(await delivery, STORED);
  assert.equal(sent.length, 2);
  outbox.retryNow(); // nothing waits: no effect
});

test("reload: undelivered votes are kept and sent by the next page", async () => {
  const { outbox, storage } = outboxWith([OFFLINE, OFFLINE]);
  outbox.post("first", ballot("a"));
  outbox.post("second", ballot("tie"));
  await settle();
  const reloaded = outboxWith([], storage);
  await settle();
  assert.deepEqual(reloaded.sent, [
    ["first", ballot("a")],
    ["second", ballot("tie")],
  ]);
  assert.equal(storage.length, 0);
});

test("two tabs keep their votes apart: neither overwrites nor removes the other's", async () => {
  const storage = memoryStorage();
  const one = outboxWith([OFFLINE], storage);
  const other = outboxWith([OFFLINE], storage);
  one.outbox.post("first", ballot("a"));
  const second = other.outbox.post("second", ballot("b"));
  await settle();
  await other.timers.elapse();
  await second;
  const reloaded = outboxWith([], storage);
  await settle();
  assert.deepEqual(reloaded.sent, [["first", ballot("a")]]);
  assert.equal(storage.length, 0);
});

test("votes that an earlier version stored as one list are sent", async () => {
  const storage = memoryStorage();
  const list = [
    { token: "first", vote: ballot("a") },
    { token: "second", vote: ballot("b") },
  ];
  storage.setItem("hippodrome.outbox", JSON.stringify(list));
  const { sent } = outboxWith([], storage);
  await settle();
  assert.deepEqual(
    sent.map(([token]) => token),
    ["first", "second"],
  );
  assert.equal(storage.length, 0);
});

test("a rejected vote does not block the next one", async () => {
  const error = new ApiError(410, "expired", "");
  const { outbox } = outboxWith([error]);
  const rejected = outbox.post("first", ballot());
  const delivered = outbox.post("second", ballot());
  await assert.rejects(rejected, error);
  assert.equal(await delivered, STORED);
});

test("unreadable or refused storage loses nothing but the memory across reloads", async () => {
  for (const text of ["{", "7", '[null, {"token": "t"}]']) {
    const storage = memoryStorage();
    storage.setItem("hippodrome.outbox", text);
    const { outbox, sent } = outboxWith([], storage);
    assert.equal(await outbox.post("t", ballot()), STORED);
    assert.equal(sent.length, 1);
  }
  const refuse = () => {
    throw new Error("storage is disabled");
  };
  const refusing = { getItem: refuse, setItem: refuse, removeItem: refuse, key: refuse, length: 0 };
  assert.equal(await outboxWith([], refusing).outbox.post("t", ballot()), STORED);
});

/** @param {() => Response | Promise<Response>} respond */
const apiThat = (respond) => new Api(async () => respond());
/** @param {number} status @param {object} body @param {HeadersInit} [headers] */
const problem = (status, body, headers) => Response.json(body, { status, headers });

test("the API reports status, type, detail and Retry-After of an error", async () => {
  const respond = () =>
    problem(429, { type: "too-many", detail: "Wait." }, { "Retry-After": "12" });
  await assert.rejects(apiThat(respond).castVote("t", ballot()), (error) => {
    assert.ok(error instanceof ApiError);
    assert.deepEqual(
      [error.status, error.type, error.message, error.retryAfterS, error.isTransient],
      [429, "too-many", "Wait.", 12, false],
    );
    return true;
  });
});

test("no response is status 0 and an unreadable one 502: both transient", async () => {
  const offline = apiThat(() => Promise.reject(new TypeError("failed to fetch")));
  const proxy = apiThat(() => new Response("<h1>Bad gateway</h1>"));
  for (const [api, status] of /** @type {const} */ ([
    [offline, 0],
    [proxy, 502],
  ])) {
    await assert.rejects(api.listTracks(), { status, isTransient: true, retryAfterS: null });
  }
});
