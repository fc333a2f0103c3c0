// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  NUDGE_RATE,
  NUDGE_START_S,
  NUDGE_STOP_S,
  SEEK_S,
  Synchronizer,
} from "../../arena/web/duel/assets/synchronizer.js";
import { FakePlayer } from "./fakes.js";

const TICK_S = 1 / 60;

class Playback {
  leader = new FakePlayer();
  follower = new FakePlayer();
  synchronizer = new Synchronizer();

  /** @param {number} driftS of the follower */
  constructor(driftS = 0) {
    this.leader.currentTime = 1;
    this.follower.currentTime = 1 + driftS;
  }

  get driftS() {
    return this.follower.currentTime - this.leader.currentTime;
  }

  /** @param {number} [seconds] */
  run(seconds = TICK_S) {
    for (let time = 0; time < seconds; time += TICK_S) {
      this.synchronizer.update(this.leader, this.follower);
      this.leader.advance(TICK_S);
      this.follower.advance(TICK_S);
    }
  }
}

for (const driftS of [0.2, -0.2]) {
  test(`a drift of ${driftS} s is corrected by the follower's rate, smoothly`, () => {
    const playback = new Playback(driftS);
    playback.run();
    assert.equal(playback.follower.playbackRate, 1 - Math.sign(driftS) * NUDGE_RATE);
    playback.run(6);
    assert.ok(Math.abs(playback.driftS) < NUDGE_STOP_S, `${playback.driftS}`);
    assert.equal(playback.follower.playbackRate, 1);
    assert.equal(playback.leader.playbackRate, 1);
  });
}

test("a correction that has started goes on below the threshold that starts one", () => {
  const between = (NUDGE_START_S + NUDGE_STOP_S) / 2;
  const small = new Playback(between);
  small.run();
  assert.equal(small.follower.playbackRate, 1);
  const playback = new Playback(0.05);
  playback.run();
  playback.follower.currentTime = playback.leader.currentTime + between;
  playback.run();
  assert.equal(playback.follower.playbackRate, 1 - NUDGE_RATE);
});

test("a large drift is corrected by a seek of the follower", () => {
  const playback = new Playback(SEEK_S + 0.01);
  const before = playback.leader.currentTime;
  playback.synchronizer.update(playback.leader, playback.follower);
  assert.deepEqual([playback.leader.currentTime, playback.driftS], [before, 0]);
  assert.equal(playback.follower.playbackRate, 1);
});

test("the leader's rate is never changed, whatever it was before", () => {
  const playback = new Playback(0.1);
  playback.leader.playbackRate = 0.95; // it was the follower until the sound was switched
  playback.run();
  assert.equal(playback.leader.playbackRate, 1);
});

for (const name of /** @type {const} */ (["leader", "follower"])) {
  test(`both wait while the ${name} buffers, and start together`, () => {
    const playback = new Playback(0.05);
    playback[name].readyState = 2;
    playback.run(0.5);
    assert.equal(playback.synchronizer.buffering, true);
    assert.deepEqual([playback.leader.paused, playback.follower.paused], [true, true]);
    assert.equal(playback.leader.currentTime, 1);
    playback[name].readyState = 4;
    playback.run();
    assert.equal(playback.synchronizer.buffering, false);
    assert.deepEqual([playback.leader.paused, playback.follower.paused], [false, false]);
  });
}

test("a seeking player is not taken for a starved one", () => {
  const playback = new Playback();
  Object.assign(playback.follower, { readyState: 1, seeking: true });
  playback.run();
  assert.equal(playback.synchronizer.buffering, false);
  assert.equal(playback.leader.paused, false);
});

test("once either has ended, the other plays to its end at its normal rate", () => {
  const playback = new Playback(0.1);
  playback.run();
  assert.notEqual(playback.follower.playbackRate, 1);
  playback.leader.ended = true;
  playback.leader.readyState = 2;
  playback.run();
  assert.equal(playback.follower.playbackRate, 1);
  assert.equal(playback.follower.paused, false);
});

test("a reset forgets a wait and a correction", () => {
  const playback = new Playback(0.1);
  playback.follower.readyState = 2;
  playback.run();
  playback.synchronizer.reset();
  assert.equal(playback.synchronizer.buffering, false);
});

test("a source video follows the leader like the other clip, and may end before it", () => {
  const { leader, follower, synchronizer } = new Playback();
  const source = new FakePlayer();
  source.currentTime = 1.1;
  synchronizer.update(leader, follower, source);
  assert.equal(source.playbackRate, 1 - NUDGE_RATE);
  source.readyState = 2;
  synchronizer.update(leader, follower, source);
  assert.deepEqual([synchronizer.buffering, leader.paused, follower.paused], [true, true, true]);
  Object.assign(source, { ended: true });
  synchronizer.update(leader, follower, source);
  assert.deepEqual([synchronizer.buffering, leader.paused, follower.paused], [false, false, false]);
});
