// @ts-check
// The vote page: which battle is shown, what an input does, and when the next pair starts.

import { Api, ApiError } from "./api.js";
import { delayStatus, errorScreen, rejectionStatus } from "./error-screens.js";
import { listenToKeys } from "./keys.js";
import { fitStage } from "./layout.js";
import { Outbox } from "./outbox.js";
import { Pair } from "./pair.js";
import { PHASES } from "./phases.js";
import { otherSide, SIDES } from "./sides.js";
import { load, save } from "./storage.js";
import { View } from "./view.js";

/** @import { Ballot, Battle, Choice, Track, VoteResult } from "./api.js" */
/** @import { Delay } from "./outbox.js" */
/** @import { Action, Input, Phase } from "./phases.js" */
/** @import { PerSide, Side } from "./sides.js" */

/** @typedef {"keys" | "showNames"} Setting */
/** @typedef {{choice?: Choice, side?: Side}} Detail what an input is about */

const NAMES_MS = 1_700; // how long the names are shown before the next pair
const HOLD_MS = 450; // the last frame is held before both clips start again
const LOADER_DELAY_MS = 250; // a shorter wait shows no loader
const START_LABEL = "Play both clips";

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");
const randomSide = () => SIDES[crypto.getRandomValues(new Uint8Array(1))[0] & 1];

export class Duel {
  #abort = new AbortController();
  #visit = 0; // counts what is shown, so that results for an earlier battle are dropped
  /** @type {Phase} */
  #phase = "loading";
  #front = 0; // the buffer on screen
  /** @type {Track[]} */
  #tracks = [];
  /** @type {Track | null} */
  #track = null;
  /** @type {Side | null} */
  #firstAudible = null;
  #soundChosen = false; // by the voter: the sound no longer alternates
  #restarting = false;
  /** @type {(() => void) | null} */
  #continueNow = null;
  /** @type {(() => void) | null} */
  #skipReveal = null;

  /** @param {HTMLElement} host */
  constructor(host) {
    const { signal } = this.#abort;
    this.api = new Api();
    this.view = new View(host);
    this.buffers = [0, 1].map((buffer) => new Pair(this.view.videos(buffer)));
    this.outbox = new Outbox({
      castVote: (token, vote) => this.api.castVote(token, vote),
      sleep,
      storage: localStorage,
      onDelay: (delay) => this.#onDelay(delay),
      onDelivered: () => this.view.setStatus(""),
    });
    /** @type {Record<Setting, boolean>} */
    this.settings = { keys: load("keys", true), showNames: load("showNames", true) };
    this.fit = fitStage(this.view, { aspect: () => this.#aspect, signal });
    this.view.setToggle("keys", this.settings.keys);
    this.view.setToggle("showNames", this.settings.showNames);
    this.view.setCount(load("votes", 0, sessionStorage));
    this.view.showBuffer(0);
    this.#listen(signal);
    this.#start();
    this.#tick();
  }

  close() {
    this.#visit += 1;
    this.#abort.abort();
    for (const pair of this.buffers) pair.clear();
    this.view.root.remove();
  }

  get #pair() {
    return this.buffers[this.#front];
  }

  get #nextPair() {
    return this.buffers[1 - this.#front];
  }

  get #hasSound() {
    return Boolean(this.#track?.audio);
  }

  get #aspect() {
    return this.#track ? this.#track.width / this.#track.height : 16 / 9;
  }

  /** @param {Phase} phase */
  #setPhase(phase) {
    this.#phase = phase;
    this.view.setPhase(phase);
  }

  // --- input ------------------------------------------------------------------------------------

  /** @param {AbortSignal} signal */
  #listen(signal) {
    const { root } = this.view;
    listenToKeys({
      isEnabled: () => this.settings.keys && root.isConnected && root.clientWidth > 0,
      onChoice: (choice) => this.#handle("choice", { choice }),
      onInput: (input) => (input === "fullscreen" ? this.#toggleFullscreen() : this.#handle(input)),
      signal,
    });
    root.addEventListener("click", (event) => this.#onClick(event), { signal });
    window.addEventListener("online", () => this.outbox.retryNow(), { signal });
    document.addEventListener(
      "visibilitychange",
      () => {
        // A hidden page is not watched, so what plays there must not count.
        const canPause = PHASES[this.#phase].actions.pause !== undefined;
        if (document.hidden && this.#pair.isPlaying && canPause) this.#togglePause();
      },
      { signal },
    );
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    if (!(event.target instanceof Element)) return;
    const button = event.target.closest("button");
    if (event.detail > 0) button?.blur(); // or Space would press it again instead of pausing
    const { choice, sound, track, input } = button?.dataset ?? {};
    if (choice) this.#handle("choice", { choice: /** @type {Choice} */ (choice) });
    else if (sound) this.#handle("sound", { side: /** @type {Side} */ (sound) });
    else if (track) this.#openTrack(track);
    else if (input === "fullscreen") this.#toggleFullscreen();
    else if (input === "keys" || input === "showNames") this.#toggleSetting(input);
    else if (input) this.#handle(/** @type {Input} */ (input));
    else if (event.target.closest(".frame")) this.#handle("clip");
  }

  /**
   * Do what an input means in the current phase.
   * @param {Input} input
   * @param {Detail} [detail]
   */
  #handle(input, { choice, side } = {}) {
    /** @type {Record<Action, () => unknown>} */
    const actions = {
      vote: () => choice && this.#vote(choice),
      askToWatch: () =>
        this.view.setStatus("Watch both clips to the end first, then vote.", "warning"),
      skip: () => this.#vote("skip"),
      start: () => this.#play({ gesture: true }),
      togglePause: () => this.#togglePause(),
      replay: () => this.#replay(),
      switchSound: () => this.#switchSound(side),
      continueNow: () => this.#continueNow?.(),
      retry: () => (this.#track ? this.#openTrack(this.#track.name) : this.#start()),
    };
    const action = PHASES[this.#phase].actions[input];
    if (action) actions[action]();
  }

  /** @param {Setting} setting */
  #toggleSetting(setting) {
    this.settings[setting] = !this.settings[setting];
    save(setting, this.settings[setting]);
    this.view.setToggle(setting, this.settings[setting]);
  }

  #toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.view.root.requestFullscreen?.().catch(() => {});
  }

  // --- which battle -----------------------------------------------------------------------------

  async #start() {
    this.#setPhase("loading");
    try {
      const tracks = await this.api.listTracks();
      this.#tracks = tracks.filter((track) => track.active);
    } catch (error) {
      this.#showError(error);
      return;
    }
    const last = load("track", null);
    const track = this.#tracks.find(({ name }) => name === last) ?? this.#tracks[0];
    if (track) await this.#openTrack(track.name);
    else this.#showError(new ApiError(409, "no-pair", ""));
  }

  /** @param {string} name */
  async #openTrack(name) {
    this.#visit += 1;
    const visit = this.#visit;
    this.#track = this.#tracks.find((track) => track.name === name) ?? null;
    save("track", name);
    this.view.setTracks(this.#tracks, name);
    this.view.setMessage(null);
    this.view.setStartButton(null);
    this.view.setBattle(null);
    this.view.setStatus("");
    for (const pair of this.buffers) pair.clear();
    this.#setPhase("loading");
    this.fit();
    try {
      const battle = await this.api.issueBattle(name);
      if (visit === this.#visit) await this.#showBattle(battle);
    } catch (error) {
      if (visit === this.#visit) this.#showError(error);
    }
  }

  /**
   * Show and start a battle, and load the one after it in the other buffer.
   * @param {Battle} battle
   */
  async #showBattle(battle) {
    this.#visit += 1;
    const visit = this.#visit;
    const lastPair = this.#pair;
    if (this.#nextPair.battle?.token === battle.token) this.#nextPair.battle = battle;
    else this.#nextPair.load(battle);
    this.#front = 1 - this.#front;
    this.#firstAudible = null;
    this.#soundChosen = false;
    this.view.showBuffer(this.#front);
    this.view.setBattle(battle);
    this.view.setSound(this.#hasSound ? null : undefined);
    this.view.setStatus("");
    this.#setPhase("loading");
    this.fit();
    lastPair.clear();
    const loader = setTimeout(() => this.view.root.classList.add("loading-clips"), LOADER_DELAY_MS);
    const isCurrent = this.#pair.isLoaded || (await this.#pair.whenLoaded());
    clearTimeout(loader);
    this.view.root.classList.remove("loading-clips");
    if (!isCurrent || visit !== this.#visit) return;
    if (this.#pair.hasFailed) {
      this.#showError(new ApiError(0, "clip", ""));
      return;
    }
    await this.#play({ gesture: false });
    if (visit === this.#visit && battle.next) lastPair.load(battle.next);
  }

  /**
   * Show why there is no battle, and what to do.
   * @param {unknown} error
   */
  #showError(error) {
    if (!(error instanceof ApiError)) throw error;
    this.#visit += 1;
    for (const pair of this.buffers) pair.clear();
    this.view.setStartButton(null);
    this.view.setBattle(null);
    this.view.setMessage(errorScreen(error));
    this.#setPhase("message");
  }

  // --- playback ---------------------------------------------------------------------------------

  /**
   * Play both from the first frame. Without a gesture the browser may refuse sound: then a muted
   * preview plays.
   * @param {{gesture: boolean}} options
   */
  async #play({ gesture }) {
    const pair = this.#pair;
    this.view.setStartButton(null);
    if (reducedMotion.matches && !gesture) {
      this.view.setStartButton(START_LABEL);
      this.#setPhase("preview");
      return;
    }
    if (this.#hasSound) {
      this.#firstAudible = randomSide();
      pair.setAudible(this.#firstAudible);
    }
    pair.account.counting = true;
    try {
      await pair.restart();
    } catch {
      if (pair === this.#pair) await this.#preview(pair);
      return;
    }
    if (pair !== this.#pair || this.#phase === "sent") return;
    this.view.setSound(this.#hasSound ? pair.audibleSide : undefined);
    this.view.setPaused(false);
    this.#setPhase(pair.isWatched ? "ready" : "watching");
    this.view.setStatus("Watch both clips to the end, then vote.");
  }

  /** @param {Pair} pair */
  async #preview(pair) {
    this.#firstAudible = null;
    pair.account.counting = false;
    pair.setAudible(null);
    this.#setPhase("preview");
    this.view.setStartButton(this.#hasSound ? "Start with sound" : START_LABEL);
    this.view.setStatus("Muted preview. Click or press Space to start from the beginning.");
    await pair.restart().catch(() => {});
  }

  #tick() {
    if (this.#abort.signal.aborted) return;
    const pair = this.#pair;
    pair.tick();
    for (const side of SIDES) {
      this.view.setProgress(side, pair.account.counting ? pair.watchedShare(side) : 0);
    }
    this.view.root.classList.toggle("buffering", pair.isBuffering);
    if (this.#phase === "watching" && pair.isWatched) {
      this.#setPhase("ready");
      this.view.setStatus("Which one is better?", "prompt");
      this.view.announce("Both clips watched. You can vote now.");
    }
    if (pair.isPlaying && pair.hasEnded && !this.#restarting) this.#playAgain(pair);
    requestAnimationFrame(() => this.#tick());
  }

  /**
   * Both have ended: play them again, now with the other side's sound.
   * @param {Pair} pair
   */
  async #playAgain(pair) {
    if (reducedMotion.matches) {
      pair.pause();
      this.view.setPaused(true);
      return;
    }
    this.#restarting = true;
    await sleep(HOLD_MS);
    this.#restarting = false;
    if (pair !== this.#pair || !pair.isPlaying || !pair.hasEnded) return;
    if (pair.audibleSide && !this.#soundChosen) {
      pair.setAudible(otherSide(pair.audibleSide));
      this.view.setSound(pair.audibleSide);
    }
    await pair.restart().catch(() => {});
  }

  #togglePause() {
    const pair = this.#pair;
    if (pair.isPlaying) pair.pause();
    else if (pair.hasEnded) pair.restart().catch(() => {});
    else pair.resume().catch(() => {});
    this.view.setPaused(!pair.isPlaying);
  }

  #replay() {
    this.#pair.restart().catch(() => {});
    this.view.setPaused(false);
  }

  /** @param {Side} [side] the one to listen to; by default the one that is muted */
  #switchSound(side = this.#pair.audibleSide === "a" ? "b" : "a") {
    if (!this.#hasSound) return;
    this.#soundChosen = true;
    this.#pair.setAudible(side);
    this.view.setSound(side);
    this.view.announce(`Sound of ${side.toUpperCase()}`);
  }

  // --- voting -----------------------------------------------------------------------------------

  /**
   * The vote as it is sent; times as measured, in whole milliseconds.
   * @param {Choice} choice
   * @returns {Ballot}
   */
  #ballot(choice) {
    const { watchedMs, heardMs } = this.#pair.account;
    /** @param {PerSide<number>} ms */
    const rounded = ({ a, b }) => ({ a: Math.round(a), b: Math.round(b) });
    const ballot = { choice, watched_ms: rounded(watchedMs), heard_ms: rounded(heardMs) };
    return this.#firstAudible ? { ...ballot, first: this.#firstAudible } : ballot;
  }

  /** @param {Choice} choice */
  async #vote(choice) {
    const visit = this.#visit;
    const phase = this.#phase;
    const { battle } = this.#pair;
    if (!battle) return;
    const ballot = this.#ballot(choice);
    this.#pair.pause();
    this.view.setStartButton(null);
    this.view.setChoice(choice);
    this.#setPhase("sent");
    performance.mark("hippodrome:vote");
    const delivery = this.outbox.post(battle.token, ballot);
    delivery.then(
      (result) => this.#record(result),
      () => {},
    );
    // The names are not waited for where the voter does not want them, nor while the arena does
    // not respond.
    /** @type {Promise<null>} */
    const revealSkipped = new Promise((resolve) => {
      this.#skipReveal = () => resolve(null);
    });
    const prefetched = this.#nextPair.battle;
    if (!this.settings.showNames && prefetched && this.#nextPair.isLoaded) this.#skipReveal?.();
    try {
      const result = await Promise.race([delivery, revealSkipped]);
      if (visit !== this.#visit) return;
      if (result?.reveal) await this.#showNames(result.reveal, visit);
      if (visit === this.#visit) await this.#showNext(result ? result.next : prefetched, delivery);
    } catch (error) {
      if (visit === this.#visit) this.#onRejected(error, choice, phase);
    }
  }

  /** @param {VoteResult} result */
  #record(result) {
    if (result.choice === "skip") return;
    const votes = load("votes", 0, sessionStorage) + 1;
    save("votes", votes, sessionStorage);
    this.view.setCount(votes);
    if (result.reveal) this.view.setLastResult(result.reveal, result);
  }

  /**
   * @param {NonNullable<VoteResult["reveal"]>} reveal
   * @param {number} visit
   */
  async #showNames(reveal, visit) {
    this.view.setNames(reveal);
    this.#setPhase("revealed");
    this.view.setStatus("The next pair starts in a moment. Press Enter to continue now.");
    this.view.announce(`A was ${reveal.a.name}, B was ${reveal.b.name}.`);
    if (this.settings.showNames) {
      const continued = new Promise((resolve) => {
        this.#continueNow = () => resolve(performance.mark("hippodrome:continue"));
      });
      await Promise.race([sleep(NAMES_MS), continued]);
    }
    if (visit === this.#visit) this.#continueNow = null;
  }

  /**
   * @param {Battle | null} next
   * @param {Promise<VoteResult>} delivery of the vote before it
   */
  async #showNext(next, delivery) {
    if (!next) {
      if (this.#track) await this.#openTrack(this.#track.name);
      return;
    }
    const shown = this.#showBattle(next);
    const visit = this.#visit;
    // Where the battle was shown before the vote's response, the one after it is known only now.
    delivery.then(
      async (result) => {
        await shown;
        const afterNext = result.next?.token === next.token ? result.next.next : null;
        if (visit === this.#visit && afterNext && !this.#nextPair.battle) {
          this.#nextPair.load(afterNext);
        }
      },
      (error) => visit === this.#visit && this.#onRejected(error, null, this.#phase),
    );
    await shown;
  }

  /**
   * The vote was rejected: say so, and show what the voter can do next.
   * @param {unknown} error
   * @param {Choice | null} choice
   * @param {Phase} phase the phase before the vote
   */
  #onRejected(error, choice, phase) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 429 && choice === "skip") {
      this.#setPhase(phase);
      this.view.setStartButton(phase === "preview" ? START_LABEL : null);
      this.view.setChoice(null);
      this.#pair.resume().catch(() => {});
      this.view.setStatus(error.message, "warning");
    } else if (this.#track) {
      this.#openTrack(this.#track.name).then(() =>
        this.view.setStatus(rejectionStatus(error), "warning"),
      );
    }
  }

  /** @param {Delay} delay */
  #onDelay(delay) {
    this.view.setStatus(delayStatus(delay), "warning");
    const canShowNext = this.#phase === "sent" && this.#nextPair.isLoaded;
    if (delay.kind !== "rate-limit" && canShowNext) this.#skipReveal?.();
  }
}
