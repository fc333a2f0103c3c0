// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { SIDES } from "../../arena/web/duel/assets/sides.js";
import { WATCH_TOLERANCE_MS, WatchAccount } from "../../arena/web/duel/assets/watch-account.js";
import { FakePlayer } from "./fakes.js";

const TICK_S = 1 / 60;
const CLIP_S = 3;

class Viewing {
  account = new WatchAccount();
  players = { a: new FakePlayer(), b: new FakePlayer() };

  /** @type {"a" | "b"} */
  audible = "a";
  visible = true;

  /** @param {{requiredMs?: number | null, counting?: boolean, clipS?: number}} [options] */
  constructor({ requiredMs = 3_000, counting = true, clipS = CLIP_S } = {}) {
    this.requiredMs = requiredMs;
    this.clipS = clipS;
    this.account.counting = counting;
  }

  sample() {
    for (const side of SIDES) {
      const { requiredMs, visible } = this;
      const audible = side === this.audible;
      this.account.sample(side, this.players[side], { audible, visible, requiredMs });
    }
  }

  /** @param {number} seconds watched by both, tick by tick, at most to the end of the clip */
  watch(seconds) {
    for (let time = 0; time < seconds - 1e-9; time += TICK_S) {
      for (const side of SIDES) {
        const player = this.players[side];
        player.currentTime = Math.min(
          this.clipS,
          player.currentTime + Math.min(TICK_S, seconds - time),
        );
        player.ended = player.currentTime > this.clipS - 1e-9;
      }
      this.sample();
    }
  }

  replay() {
    for (const side of SIDES) Object.assign(this.players[side], { currentTime: 0, ended: false });
    this.account.rewind();
  }

  get watched() {
    return SIDES.map((side) => Math.round(this.account.watchedMs[side]));
  }
}

test("what was played is counted, and heard on the audible side only", () => {
  const viewing = new Viewing();
  viewing.watch(1.5);
  assert.deepEqual(viewing.watched, [1_500, 1_500]);
  assert.equal(Math.round(viewing.account.heardMs.a), 1_500);
  assert.equal(viewing.account.heardMs.b, 0);
  assert.equal(viewing.account.share("a", 3_000).toFixed(3), "0.500");
  assert.equal(viewing.account.isComplete(), false);
});

test("clips watched to the end are complete", () => {
  const viewing = new Viewing();
  viewing.watch(CLIP_S);
  assert.deepEqual(viewing.watched, [3_000, 3_000]);
  assert.equal(viewing.account.isComplete(), true);
});

test("both sides have to be watched", () => {
  const viewing = new Viewing();
  viewing.players.b.pause();
  for (let tick = 0; tick < CLIP_S / TICK_S + 1; tick += 1) {
    for (const side of SIDES) viewing.players[side].advance(TICK_S);
    viewing.sample();
  }
  assert.equal(viewing.account.share("a", 3_000), 1);
  assert.equal(viewing.account.share("b", 3_000), 0);
  assert.equal(viewing.account.isComplete(), false);
});

test("a muted preview counts nothing", () => {
  const viewing = new Viewing({ counting: false });
  viewing.watch(CLIP_S);
  assert.deepEqual(viewing.watched, [0, 0]);
  viewing.account.counting = true;
  viewing.replay();
  viewing.watch(CLIP_S);
  assert.deepEqual(viewing.watched, [3_000, 3_000]);
});

test("a clip that ends short by the tolerance is complete, and its time stays as measured", () => {
  const requiredMs = CLIP_S * 1_000 + WATCH_TOLERANCE_MS - 1;
  const viewing = new Viewing({ requiredMs });
  viewing.watch(CLIP_S - 0.01);
  assert.equal(viewing.account.isComplete(), false, "not before it has ended");
  viewing.watch(0.01);
  assert.equal(viewing.account.isComplete(), true);
  assert.equal(viewing.account.share("a", requiredMs), 1);
  assert.deepEqual(viewing.watched, [3_000, 3_000]);
});

test("a clip that ends shorter than that has to be watched again", () => {
  const viewing = new Viewing({ requiredMs: CLIP_S * 1_000 + WATCH_TOLERANCE_MS + 2 });
  viewing.watch(CLIP_S);
  assert.equal(viewing.account.isComplete(), false);
  viewing.replay();
  viewing.watch(0.2);
  assert.equal(viewing.account.isComplete(), true);
  assert.deepEqual(viewing.watched, [3_200, 3_200]);
});

test("a seek is not watched, in either direction", () => {
  const viewing = new Viewing();
  viewing.watch(1);
  for (const time of [2.5, 0]) {
    for (const side of SIDES) viewing.players[side].currentTime = time;
    viewing.sample();
  }
  assert.deepEqual(viewing.watched, [1_000, 1_000]);
});

test("a required time below the clip's length is enough", () => {
  const viewing = new Viewing({ requiredMs: 500 });
  viewing.watch(0.45);
  assert.equal(viewing.account.isComplete(), false);
  viewing.watch(0.1);
  assert.equal(viewing.account.isComplete(), true);
});

test("where no time is required, both clips are complete as soon as they play", () => {
  const viewing = new Viewing({ requiredMs: 0 });
  assert.equal(viewing.account.isComplete(), false);
  viewing.watch(TICK_S);
  assert.equal(viewing.account.isComplete(), true);
  assert.equal(viewing.account.share("a", 0), 1);
  assert.equal(viewing.account.isComplete({ heard: true }), false);
  viewing.audible = "b";
  viewing.watch(TICK_S);
  assert.equal(viewing.account.isComplete({ heard: true }), true);
});

test("both clips have to be heard where that is asked, each for the required time", () => {
  const viewing = new Viewing();
  viewing.watch(CLIP_S);
  assert.deepEqual(
    [viewing.account.has("a", "heard"), viewing.account.has("b", "heard")],
    [true, false],
  );
  assert.equal(viewing.account.isComplete({ heard: true }), false);
  viewing.audible = "b";
  viewing.replay();
  viewing.watch(1.5);
  assert.equal(viewing.account.share("b", 3_000, "heard").toFixed(2), "0.50");
  viewing.watch(1.5);
  assert.equal(viewing.account.isComplete({ heard: true }), true);
});

test("what plays unseen is neither watched nor heard", () => {
  const viewing = new Viewing();
  viewing.visible = false;
  viewing.watch(CLIP_S);
  assert.deepEqual([viewing.watched, viewing.account.heardMs.a], [[0, 0], 0]);
  assert.equal(viewing.account.isComplete(), false);
});

test("nothing is complete while the required time is unknown, nor after a reset", () => {
  const unknown = new Viewing({ requiredMs: null });
  unknown.watch(0.1);
  assert.deepEqual([unknown.account.isComplete(), unknown.account.share("a", null)], [false, 0]);
  const viewing = new Viewing();
  viewing.watch(CLIP_S);
  viewing.account.reset();
  assert.equal(viewing.account.isComplete(), false);
  assert.deepEqual([viewing.watched, viewing.account.counting], [[0, 0], false]);
});
