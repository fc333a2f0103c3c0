// @ts-check
// The vote page: which battle is shown, what an input does, and when the next pair starts.

import { Api, ApiError } from "./api.js";
import { problemOfBrowser, reportBroken } from "./broken-pairs.js";
import { probeClip, waitUntilPlayable } from "./clip-problems.js";
import { Dialogs } from "./dialogs.js";
import {
  BROKEN_STATUS,
  contributionText,
  delayStatus,
  errorScreen,
  rejectionStatus,
  waitStatus,
} from "./error-screens.js";
import { FullScreen } from "./full-screen.js";
import { listenToKeys } from "./keys.js";
import { keepFitted } from "./layout.js";
import { otherTracks } from "./navigation.js";
import { Outbox } from "./outbox.js";
import { Pair } from "./pair.js";
import { PHASES } from "./phases.js";
import { Playback } from "./playback.js";
import { listenToPointer } from "./pointer.js";
import { largeSource } from "./source.js";
import { browserStorage, load, save } from "./storage.js";
import { showTracks } from "./toolbar.js";
import { View } from "./view.js";
import { Visibility } from "./visibility.js";
import { Withdrawal } from "./withdrawal.js";

/** @import { Battle, Choice, Track, VoteResult } from "./api.js" */
/** @import { BrokenPart } from "./clip-problems.js" */
/** @import { Setting } from "./dialogs.js" */
/** @import { KeyInput } from "./keys.js" */
/** @import { Delay } from "./outbox.js" */
/** @import { Action, Input, Phase } from "./phases.js" */
/** @import { Detail } from "./pointer.js" */

const NAMES_MS = 1_700; // how long the names are shown before the next pair
const LOADER_DELAY_MS = 250; // a shorter wait shows no loader
const HONEY_PAIR = "honey-pair"; // the rule of votes on a clip and its damaged copy
const MAX_BROKEN_IN_A_ROW = 3; // then the cause is probably this browser: ask before going on
const hasKeyboard = window.matchMedia("(hover: hover) and (pointer: fine)"); // most likely
const INTRO = "Blind test: two models, one prompt. Which video is better?";
const PICTURE_ONLY = "Picture only: your votes here count for the picture, not for the sound.";

/** @param {number} ms @param {AbortSignal} [signal] */
const sleep = (ms, signal) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
    window.addEventListener("online", resolve, { once: true, signal });
  });

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
  /** @type {Set<string>} names of tracks that have no pair left */
  #exhausted = new Set();
  /** The battle after the one on screen, while its clips are not loading yet. @type {Battle | null} */
  #upcoming = null;
  #brokenInARow = 0;
  #pausedByDialog = false;
  /** @type {(() => void) | null} */
  #continueNow = null;
  /** @type {(() => void) | null} */
  #skipReveal = null;

  /** @param {HTMLElement} host */
  constructor(host) {
    const { signal } = this.#abort;
    this.api = new Api();
    this.view = new View(host);
    const sourceFrame = this.view.find(".source-frame");
    const onFailure = (/** @type {Pair} */ pair) => pair === this.#pair && this.#onStalled();
    this.buffers = [0, 1].map(
      (index) => new Pair(this.view.videos(index), sourceFrame, { onFailure }),
    );
    this.outbox = new Outbox({
      castVote: (token, vote) => this.api.castVote(token, vote),
      sleep,
      storage: browserStorage("localStorage"),
      onDelay: (delay) => this.#onDelay(delay),
      onDelivered: () => this.view.setStatus(""),
    });
    this.withdrawal = new Withdrawal({
      withdraw: (token) => this.api.withdrawVote(token),
      show: (label) => this.view.setWithdrawal(label),
      onStatus: (text, kind) => this.view.setStatus(text, kind),
      onWithdrawn: () => this.#count(-1),
    });
    /** @type {Record<Setting, boolean>} */
    this.settings = {
      keys: load("keys", true),
      showNames: load("showNames", true),
      cannotHear: load("cannotHear", false),
    };
    this.visibility = new Visibility(this.view.frames, {
      onChange: () => this.playback?.onVisibilityChange(),
      signal,
    });
    this.playback = new Playback(this.view, this.visibility, {
      pair: () => this.#pair,
      phase: () => this.#phase,
      setPhase: (phase) => this.#setPhase(phase),
      soundMode: () => this.#soundMode,
      isSwiped: () => this.view.root.dataset.layout === "swipe",
      onStalled: () => this.#onStalled(),
    });
    this.dialogs = new Dialogs(this.view, {
      onSetting: (setting, on) => this.#set(setting, on),
      onOpen: () => this.#cover(true),
      onClose: () => this.#cover(false),
      signal,
    });
    this.fullScreen = new FullScreen(this.view, { onChange: () => this.fit(), signal });
    this.fit = keepFitted(this.view.root, {
      aspect: () => (this.#track ? this.#track.width / this.#track.height : 16 / 9),
      hasSource: () => this.#hasSource,
      fullscreen: () => this.fullScreen.isOn,
      onFit: () => this.view.fitTexts(),
      signal,
    });
    for (const name of /** @type {Setting[]} */ (Object.keys(this.settings))) {
      this.dialogs.setSetting(name, this.settings[name]);
    }
    this.view.setCount(load("votes", 0, browserStorage("sessionStorage")));
    this.view.showBuffer(0);
    this.fit();
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

  get #soundMode() {
    if (!this.#track?.audio) return "silent";
    return this.settings.cannotHear ? "cannotHear" : "sound";
  }

  get #hasSource() {
    const { battle } = this.#pair;
    if (battle) return Boolean(battle.prompt.source);
    return this.#track !== null && this.#track.modality !== "text-to-video";
  }

  /** @param {Phase} phase */
  #setPhase(phase) {
    this.#phase = phase;
    this.view.setPhase(phase);
  }

  #tick() {
    if (this.#abort.signal.aborted) return;
    this.playback.tick();
    this.#prefetch();
    requestAnimationFrame(() => this.#tick());
  }

  /** Load the clips of the next battle once those on screen have arrived, or were seen. */
  #prefetch() {
    if (!this.#upcoming || !(this.#pair.isBuffered || this.#phase === "ready")) return;
    if (!this.#nextPair.battle) this.#nextPair.load(this.#upcoming);
    this.#upcoming = null;
  }

  // --- input ------------------------------------------------------------------------------------

  /** @param {AbortSignal} signal */
  #listen(signal) {
    listenToKeys({
      isEnabled: () => this.settings.keys,
      onChoice: (choice) => this.#handle("choice", { choice }),
      onInput: (input) => this.#onInput(input),
      signal,
    });
    listenToPointer(this.view.root, {
      onInput: (input, detail) => this.#onInput(input, detail),
      onShow: (side) => this.playback.show(side),
      onTrack: (track) => this.#openTrack(track),
      signal,
    });
    window.addEventListener("online", () => this.outbox.retryNow(), { signal });
    document.addEventListener(
      "visibilitychange",
      // A hidden page is not watched, so what plays there must not count.
      () => document.hidden && this.playback.pauseWhileHidden(),
      { signal },
    );
  }

  /** @param {KeyInput | "cannotHear"} input @param {Detail} [detail] */
  #onInput(input, detail) {
    if (input === "fullscreen") {
      this.dialogs.close();
      this.fullScreen.toggle();
    } else if (input === "help") this.dialogs.open("help");
    else if (input === "more") this.dialogs.open("whole-prompt");
    else if (input === "source") this.#showSource();
    else if (input === "withdraw") this.withdrawal.run();
    else if (input === "cannotHear") this.#set("cannotHear", !this.settings.cannotHear);
    else this.#handle(input, detail);
  }

  /** Show the source of the prompt as large as the window. */
  #showSource() {
    const { battle } = this.#pair;
    if (!battle?.prompt.source) return;
    this.view.find(".large-frame").replaceChildren(largeSource(battle.prompt));
    this.dialogs.open("whole-source");
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
      askToWatch: () => this.view.setStatus(this.playback.missing, "warning"),
      skip: () => this.#vote("skip"),
      start: () => this.playback.start({ gesture: true }),
      togglePause: () => this.playback.togglePause(),
      replay: () => this.playback.replay(),
      switchSound: () => this.playback.switchSound(side),
      continueNow: () => this.#continueNow?.(),
      retry: () => (this.#track ? this.#openTrack(this.#track.name) : this.#start()),
    };
    const action = PHASES[this.#phase].actions[input];
    if (action) actions[action]();
  }

  /** @param {Setting} setting @param {boolean} on */
  #set(setting, on) {
    this.settings[setting] = on;
    save(setting, on);
    this.dialogs.setSetting(setting, on);
    if (setting !== "cannotHear") return;
    this.#showPromptLabel();
    this.playback.onSoundModeChange();
  }

  /** Say what the page is for on the first visit, and that a vote is on the picture where it is. */
  #showPromptLabel() {
    const isFirstVisit = !load("hasVoted", false);
    const label = isFirstVisit ? INTRO : "Prompt";
    this.view.setPromptLabel(this.#soundMode === "cannotHear" ? PICTURE_ONLY : label);
  }

  /** A dialog covers the clips, so they are not watched. @param {boolean} covered */
  #cover(covered) {
    this.visibility.covered = covered;
    if (covered) this.#pausedByDialog = this.playback.pauseWhileHidden();
    else if (this.#pausedByDialog && !this.#pair.isPlaying) this.#handle("pause");
  }

  // --- which battle -----------------------------------------------------------------------------

  async #start() {
    this.#setPhase("loading");
    if (navigator.cookieEnabled === false) {
      this.#showError(new ApiError(403, "cookie", ""));
      return;
    }
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
    else this.#showError(new ApiError(409, "no-track", ""));
  }

  /**
   * @param {string} name
   * @param {string} [notice] shown with the battle
   */
  async #openTrack(name, notice = "") {
    this.#visit += 1;
    const visit = this.#visit;
    this.#track = this.#tracks.find((track) => track.name === name) ?? null;
    save("track", name);
    this.view.root.dataset.track = name; // its sizes are known: the clips' places can be shown
    showTracks(this.view.root, this.#tracks, name);
    this.#clear();
    this.view.setStatus("");
    this.#setPhase("loading");
    this.view.setSourceShown(this.#hasSource);
    this.fit();
    this.playback.reset();
    try {
      const battle = await this.api.issueBattle(name);
      if (visit === this.#visit) await this.#showBattle(battle, notice);
    } catch (error) {
      if (visit === this.#visit) this.#showError(error);
    }
  }

  #clear() {
    this.#upcoming = null;
    for (const pair of this.buffers) pair.clear();
    this.view.setMessage(null);
    this.view.setStartButton(null);
    this.view.setBattle(null);
  }

  /**
   * Show and start a battle, and load the one after it in the other buffer.
   * @param {Battle} battle
   * @param {string} [notice] why the battle before it is gone
   */
  async #showBattle(battle, notice = "") {
    this.#visit += 1;
    const visit = this.#visit;
    const lastPair = this.#pair;
    this.#upcoming = null;
    if (this.#nextPair.battle?.token === battle.token) this.#nextPair.battle = battle;
    else this.#nextPair.load(battle);
    this.#front = 1 - this.#front;
    lastPair.setShown(false);
    this.#pair.setShown(true);
    this.view.showBuffer(this.#front);
    this.view.setSourceShown(this.#hasSource);
    this.fit();
    this.view.setBattle(battle);
    this.#showPromptLabel();
    this.view.setStatus(notice, notice ? "warning" : "");
    this.#setPhase("loading");
    this.playback.reset();
    lastPair.clear();
    const outcome = await this.#waitUntilPlayable();
    if (outcome === "replaced" || visit !== this.#visit) return;
    if (outcome) {
      await this.#dropBroken(battle, outcome);
      return;
    }
    this.#brokenInARow = 0;
    await this.playback.start({ gesture: false });
    if (visit !== this.#visit) return;
    if (notice) this.view.setStatus(notice, "warning");
    this.#upcoming = battle.next;
  }

  async #waitUntilPlayable() {
    const pair = this.#pair;
    const { battle } = pair;
    const { root } = this.view;
    const loader = setTimeout(() => root.classList.add("loading-clips"), LOADER_DELAY_MS);
    const outcome = await waitUntilPlayable(pair, {
      isCurrent: () => pair === this.#pair && pair.battle?.token === battle?.token,
      probe: probeClip,
      sleep: (ms) => sleep(ms, this.#abort.signal),
      onWait: (cause) => this.view.setStatus(waitStatus(cause), "warning"),
    });
    clearTimeout(loader);
    root.classList.remove("loading-clips");
    return outcome;
  }

  /** A clip on screen has failed or received no data for long: find out why, and go on. */
  async #onStalled() {
    const { battle } = this.#pair;
    if (!battle || !["preview", "watching", "ready"].includes(this.#phase)) return;
    this.#setPhase("loading");
    this.#pair.pause();
    const visit = this.#visit;
    const outcome = await this.#waitUntilPlayable();
    if (outcome === "replaced" || visit !== this.#visit || this.#phase !== "loading") return;
    if (outcome) await this.#dropBroken(battle, outcome);
    else await this.playback.start({ gesture: this.#pair.account.counting });
  }

  /**
   * Report a part that cannot be played, which voids the battle, and go on with the next one.
   * @param {Battle} battle
   * @param {BrokenPart} broken
   */
  async #dropBroken(battle, { part, reason, status }) {
    const visit = this.#visit;
    const track = this.#track?.name ?? "";
    try {
      const problem = await problemOfBrowser(this.api, { track, status });
      if (visit !== this.#visit) return;
      if (problem) {
        this.#showError(new ApiError(403, problem, ""));
        return;
      }
      this.#brokenInARow += 1;
      const next = await reportBroken(this.api, battle, { part, reason, status });
      if (visit !== this.#visit) return;
      if (this.#brokenInARow >= MAX_BROKEN_IN_A_ROW) {
        this.#brokenInARow = 0;
        this.#showError(new ApiError(502, "clips", ""));
      } else if (next) await this.#showBattle(next, BROKEN_STATUS);
      else await this.#openTrack(track, BROKEN_STATUS);
    } catch (error) {
      if (visit === this.#visit) this.#showError(error);
    }
  }

  /**
   * Show why there is no battle, and what to do.
   * @param {unknown} error
   */
  #showError(error) {
    if (!(error instanceof ApiError)) throw error;
    this.#visit += 1;
    const visit = this.#visit;
    this.#clear();
    this.view.setStatus("");
    const ways = [];
    if (error.type === "no-pair" && this.#track) this.#exhausted.add(this.#track.name);
    if (["no-pair", "clips", "too-many"].includes(error.type) && this.#track) {
      ways.push(...otherTracks(this.#tracks, this.#track, this.#exhausted));
    }
    this.view.setMessage(errorScreen(error), ways);
    this.#setPhase("message");
    if (error.type !== "no-pair") return;
    this.api.getContribution().then(
      (contribution) =>
        visit === this.#visit && this.view.setContribution(contributionText(contribution)),
      () => {},
    );
  }

  // --- voting -----------------------------------------------------------------------------------

  /** @param {Choice} choice */
  async #vote(choice) {
    const visit = this.#visit;
    const phase = this.#phase;
    const { battle } = this.#pair;
    if (!battle) return;
    const ballot = this.playback.ballot(choice);
    this.#pair.pause();
    this.view.setStartButton(null);
    this.view.setChoice(choice);
    this.#setPhase("sent");
    performance.mark("hippodrome:vote");
    if (choice !== "skip") save("hasVoted", true);
    const delivery = this.outbox.post(battle.token, ballot);
    delivery.then(
      (result) => this.#record(result, battle.token),
      () => {},
    );
    // The names are not waited for where the voter does not want them, nor while the arena does
    // not respond.
    /** @type {Promise<null>} */
    const revealSkipped = new Promise((resolve) => {
      this.#skipReveal = () => resolve(null);
    });
    const prefetched = this.#nextPair.battle;
    this.#upcoming = null;
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

  /** @param {VoteResult} result @param {string} token of its battle */
  #record(result, token) {
    if (result.choice === "skip") return;
    this.#count(1);
    if (result.reveal) {
      this.withdrawal.end();
      this.view.setLastResult(result.reveal, result);
    } else if (result.hold?.rule === HONEY_PAIR) {
      this.withdrawal.end();
      this.view.setLastCheck(result.hold.reason, result);
    } else this.withdrawal.offer(token);
  }

  /** @param {number} more votes */
  #count(more) {
    const session = browserStorage("sessionStorage");
    const votes = load("votes", 0, session) + more;
    save("votes", votes, session);
    this.view.setCount(votes);
  }

  /**
   * @param {NonNullable<VoteResult["reveal"]>} reveal
   * @param {number} visit
   */
  async #showNames(reveal, visit) {
    this.view.setNames(reveal);
    this.#setPhase("revealed");
    const follows = hasKeyboard.matches
      ? "The next pair follows; Enter goes on now."
      : "The next pair follows.";
    this.view.setStatus(`A was ${reveal.a.name}, B was ${reveal.b.name}. ${follows}`);
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
        if (visit === this.#visit && afterNext) this.#upcoming = afterNext;
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
      this.view.setChoice(null);
      if (phase === "preview") this.playback.start({ gesture: false });
      else if (phase === "loading") this.#showBattleAgain();
      else this.#pair.resume().catch(() => {});
      this.view.setStatus(error.message, "warning");
    } else if (this.#track) {
      this.#openTrack(this.#track.name, rejectionStatus(error));
    }
  }

  /** Go on waiting for the clips of the battle on screen. */
  #showBattleAgain() {
    const { battle } = this.#pair;
    if (battle) this.#showBattle(battle);
  }

  /** @param {Delay} delay */
  #onDelay(delay) {
    this.view.setStatus(delayStatus(delay), "warning");
    const canShowNext = this.#phase === "sent" && this.#nextPair.isLoaded;
    if (delay.kind !== "rate-limit" && canShowNext) this.#skipReveal?.();
  }
}
