// The duel: which battle is shown, what a key does now, and when the next pair begins.

import { askBattle, listTracks, Outbox, Problem } from "./client.js";
import { listenToKeys } from "./keys.js";
import { fitStage } from "./layout.js";
import { refusals, stops, troubles } from "./messages.js";
import { Pair, SIDES } from "./pair.js";
import { remember, recall } from "./memory.js";
import { View } from "./view.js";

const NAMES_MS = 1_700; // how long the names stand under their frames before the next pair
const HOLD_MS = 450; // the last frame is held before both clips start again
const LOADER_AFTER_MS = 250; // a shorter wait is better shown as nothing at all

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");
const toss = () => SIDES[crypto.getRandomValues(new Uint8Array(1))[0] & 1];

export class Duel {
  #abort = new AbortController();
  #visit = 0; // counts what is shown; whatever was awaited for an earlier visit is dropped
  #phase = "loading";
  #front = 0;
  #tracks = [];
  #track = null;
  #first = null; // the side that sounded first
  #pinned = false; // the voter chose the side that sounds: it no longer alternates
  #restarting = false;
  #onward = null;
  #moveOn = null;

  constructor(host) {
    const { signal } = this.#abort;
    this.view = new View(host);
    this.decks = [0, 1].map((deck) => new Pair(this.view.videos(deck)));
    this.outbox = new Outbox({
      onTrouble: (trouble) => this.#onTrouble(trouble),
      onClear: () => this.view.setStatus(""),
    });
    this.keys = recall("keys", true);
    this.linger = recall("linger", true);
    this.fit = fitStage(this.view.root, { ratio: () => this.#ratio, signal });
    this.view.setToggle("keys", this.keys);
    this.view.setToggle("linger", this.linger);
    this.view.setCount(recall("votes", 0, sessionStorage));
    this.view.setFront(0);
    this.#listen(signal);
    this.#start();
    this.#tick();
  }

  close() {
    this.#visit += 1;
    this.#abort.abort();
    for (const pair of this.decks) pair.clear();
    this.view.root.remove();
  }

  get #pair() {
    return this.decks[this.#front];
  }

  get #behind() {
    return this.decks[1 - this.#front];
  }

  get #sounds() {
    return Boolean(this.#track?.audio);
  }

  get #ratio() {
    return this.#track ? this.#track.width / this.#track.height : 16 / 9;
  }

  #setPhase(phase) {
    this.#phase = phase;
    this.view.setPhase(phase);
  }

  // --- input ------------------------------------------------------------------------------------

  #listen(signal) {
    const { root } = this.view;
    listenToKeys({
      enabled: () => this.keys && root.isConnected && root.clientWidth > 0,
      onChoice: (choice) => this.#choose(choice),
      onAction: (action) => this.#act(action),
      signal,
    });
    root.addEventListener("click", (event) => this.#onClick(event), { signal });
    window.addEventListener("online", () => this.outbox.nudge(), { signal });
    document.addEventListener(
      "visibilitychange",
      () => {
        // Nobody watches a hidden page: what plays there must not count.
        if (document.hidden && this.#pair.playing) this.#togglePause();
      },
      { signal },
    );
  }

  #onClick(event) {
    const button = event.target.closest("button");
    if (event.detail > 0) button?.blur(); // or Space would press it again instead of pausing
    if (button?.dataset.choice) this.#choose(button.dataset.choice);
    else if (button?.dataset.sound) this.#sound(button.dataset.sound);
    else if (button?.dataset.track) this.#openTrack(button.dataset.track);
    else if (button?.dataset.act) this.#act(button.dataset.act);
    else if (event.target.closest(".frame")) this.#act(this.#onward ? "onward" : "pause");
  }

  #act(action) {
    const known = {
      begin: () => this.#begin({ gesture: true }),
      pause: () => (this.#phase === "preview" ? this.#act("begin") : this.#togglePause()),
      replay: () => (this.#phase === "preview" ? this.#act("begin") : this.#replay()),
      sound: () => this.#sound(this.#pair.audible === "a" ? "b" : "a"),
      skip: () => this.#choose("skip"),
      onward: () => this.#onward?.(),
      retry: () => this.#openTrack(this.#track?.name),
      keys: () => this.#toggle("keys"),
      linger: () => this.#toggle("linger"),
      theatre: () => this.#toggleTheatre(),
    };
    known[action]?.();
  }

  #toggle(setting) {
    this[setting] = !this[setting];
    remember(setting, this[setting]);
    this.view.setToggle(setting, this[setting]);
  }

  #toggleTheatre() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.view.root.requestFullscreen?.().catch(() => {});
  }

  // --- which battle -----------------------------------------------------------------------------

  async #start() {
    this.#setPhase("loading");
    try {
      const all = await listTracks();
      this.#tracks = all.filter((track) => track.active);
    } catch (problem) {
      return this.#stop(problem);
    }
    const wished = recall("track", null);
    const track = this.#tracks.find(({ name }) => name === wished) ?? this.#tracks[0];
    if (!track) return this.#stop(new Problem(409, "no-pair", ""));
    return this.#openTrack(track.name);
  }

  async #openTrack(name) {
    if (!name) return this.#start();
    const visit = (this.#visit += 1);
    this.#track = this.#tracks.find((track) => track.name === name);
    remember("track", name);
    this.view.setTracks(this.#tracks, name);
    this.view.setMessage(null);
    this.view.setBegin(null);
    this.view.setBattle(null);
    this.view.setStatus("");
    for (const pair of this.decks) pair.clear();
    this.#setPhase("loading");
    this.fit();
    try {
      const battle = await askBattle(name);
      if (visit === this.#visit) await this.#show(battle);
    } catch (problem) {
      if (visit === this.#visit) this.#stop(problem);
    }
  }

  /** Put a battle on the stage, start it, and load the one after it behind. */
  async #show(battle) {
    const visit = (this.#visit += 1);
    const old = this.#pair;
    if (this.#behind.battle?.token === battle.token) this.#behind.battle = battle;
    else this.#behind.load(battle);
    this.#front = 1 - this.#front;
    this.#first = null;
    this.#pinned = false;
    this.view.setFront(this.#front);
    this.view.setBattle(battle);
    this.view.setSound(this.#sounds ? null : undefined);
    this.view.setStatus("");
    this.#setPhase("loading");
    this.fit();
    old.clear();
    const late = setTimeout(() => this.view.root.classList.add("waiting"), LOADER_AFTER_MS);
    const current = this.#pair.loaded || (await this.#pair.whenLoaded());
    clearTimeout(late);
    this.view.root.classList.remove("waiting");
    if (!current || visit !== this.#visit) return;
    if (this.#pair.broken) return this.#stop(new Problem(0, "clip", ""));
    await this.#begin({ gesture: false });
    if (visit === this.#visit && battle.next) old.load(battle.next);
  }

  /** Nothing can be shown: say why, and what to do. */
  #stop(problem) {
    if (!(problem instanceof Problem)) throw problem;
    this.#visit += 1;
    for (const pair of this.decks) pair.clear();
    this.view.setBegin(null);
    this.view.setBattle(null);
    this.view.setMessage(stops(problem));
    this.#setPhase("message");
  }

  // --- playing ----------------------------------------------------------------------------------

  /** Start both from the first frame; without a gesture sound may be refused: preview, muted. */
  async #begin({ gesture }) {
    const pair = this.#pair;
    this.view.setBegin(null);
    if (stillness.matches && !gesture) {
      this.view.setBegin("Play both clips");
      return this.#setPhase("preview");
    }
    if (this.#sounds) {
      this.#first = toss();
      pair.sound(this.#first);
    }
    pair.counting = true;
    try {
      await pair.restart();
    } catch {
      if (pair !== this.#pair) return;
      return this.#preview(pair);
    }
    if (pair !== this.#pair || this.#phase === "sent") return;
    this.view.setSound(this.#sounds ? pair.audible : undefined);
    this.view.setPaused(false);
    this.#setPhase(pair.seenBoth ? "ready" : "watching");
    this.view.setStatus("Watch both to the end, then vote.");
  }

  async #preview(pair) {
    this.#first = null;
    pair.counting = false;
    pair.sound(null);
    this.#setPhase("preview");
    this.view.setBegin(this.#sounds ? "Start with sound" : "Play both clips");
    this.view.setStatus("Muted preview. Click or press Space to start from the beginning.");
    await pair.restart().catch(() => {});
  }

  #tick() {
    if (this.#abort.signal.aborted) return;
    const pair = this.#pair;
    pair.tick();
    for (const name of SIDES) this.view.setSeen(name, pair.counting ? pair.seen(name) : 0);
    this.view.root.classList.toggle("held", pair.held);
    if (this.#phase === "watching" && pair.seenBoth) {
      this.#setPhase("ready");
      this.view.setStatus("Which one is better?", "call");
      this.view.say("Both clips watched. You can vote now.");
    }
    if (pair.playing && pair.ended && !this.#restarting) this.#nextPass(pair);
    requestAnimationFrame(() => this.#tick());
  }

  /** Both have ended: again from the first frame, now with the other side's sound. */
  async #nextPass(pair) {
    if (stillness.matches) {
      pair.pause();
      this.view.setPaused(true);
      return;
    }
    this.#restarting = true;
    await sleep(HOLD_MS);
    this.#restarting = false;
    if (pair !== this.#pair || !pair.playing || !pair.ended) return;
    if (pair.audible && !this.#pinned) {
      pair.sound(pair.audible === "a" ? "b" : "a");
      this.view.setSound(pair.audible);
    }
    await pair.restart().catch(() => {});
  }

  #togglePause() {
    if (!["preview", "watching", "ready"].includes(this.#phase)) return;
    const pair = this.#pair;
    if (pair.playing) pair.pause();
    else if (pair.ended) pair.restart().catch(() => {});
    else pair.resume().catch(() => {});
    this.view.setPaused(!pair.playing);
  }

  #replay() {
    if (!["watching", "ready"].includes(this.#phase)) return;
    this.#pair.restart().catch(() => {});
    this.view.setPaused(false);
  }

  #sound(name) {
    if (!this.#sounds) return;
    if (this.#phase === "preview") return this.#act("begin");
    this.#pinned = true;
    this.#pair.sound(name);
    this.view.setSound(name);
    this.view.say(`Sound of ${name.toUpperCase()}`);
  }

  // --- voting -----------------------------------------------------------------------------------

  #choose(choice) {
    if (this.#onward) return this.#onward();
    if (this.#phase === "preview" && choice !== "skip") return this.#act("begin");
    const skipping = choice === "skip" && ["preview", "watching"].includes(this.#phase);
    if (this.#phase === "ready" || skipping) return this.#vote(choice);
    if (this.#phase === "watching") {
      this.view.setStatus("Not yet: watch both to the end, then vote.", "nudge");
    }
  }

  #form(choice) {
    const { watched, heard } = this.#pair;
    const whole = ({ a, b }) => ({ a: Math.round(a), b: Math.round(b) });
    const form = { choice, watched_ms: whole(watched), heard_ms: whole(heard) };
    return this.#first ? { ...form, first: this.#first } : form;
  }

  async #vote(choice) {
    const visit = this.#visit;
    const { battle } = this.#pair;
    const form = this.#form(choice);
    this.#pair.pause();
    this.view.setBegin(null);
    this.view.setChoice(choice);
    this.#setPhase("sent");
    performance.mark("hippodrome:vote");
    const answering = this.outbox.post(battle.token, form);
    answering.then((answer) => this.#record(answer), () => {});
    // The names are not waited for where the voter wants none, nor while the arena is away.
    const moveOn = new Promise((resolve) => (this.#moveOn = resolve));
    const ahead = this.#behind.battle;
    if (!this.linger && ahead && this.#behind.loaded) this.#moveOn();
    try {
      const answer = await Promise.race([answering, moveOn]);
      if (visit !== this.#visit) return;
      if (answer?.reveal) await this.#showNames(answer, visit);
      if (visit === this.#visit) await this.#goOn(answer ? answer.next : ahead, answering);
    } catch (problem) {
      if (visit === this.#visit) this.#refused(problem, choice);
    }
  }

  #record({ choice, reveal, receipt }) {
    if (choice === "skip") return;
    const votes = recall("votes", 0, sessionStorage) + 1;
    remember("votes", votes, sessionStorage);
    this.view.setCount(votes);
    if (reveal) this.view.setLast({ reveal, choice, receipt });
  }

  async #showNames(answer, visit) {
    this.view.setNames(answer.reveal);
    this.#setPhase("revealed");
    this.view.setStatus("The next pair follows. Press Enter to go on at once.");
    this.view.say(`A was ${answer.reveal.a.name}, B was ${answer.reveal.b.name}.`);
    if (this.linger) {
      await Promise.race([
        sleep(NAMES_MS),
        new Promise((resolve) => (this.#onward = () => resolve(performance.mark("hippodrome:onward")))),
      ]);
    }
    if (visit === this.#visit) this.#onward = null;
  }

  async #goOn(next, answering) {
    if (!next) return this.#openTrack(this.#track.name);
    const shown = this.#show(next);
    const visit = this.#visit;
    // Shown before its answer came: the pair after it is known only now.
    answering.then(
      async (answer) => {
        await shown;
        const late = answer.next?.token === next.token ? answer.next.next : null;
        if (visit === this.#visit && late && !this.#behind.battle) this.#behind.load(late);
      },
      (problem) => visit === this.#visit && this.#refused(problem, null),
    );
    return shown;
  }

  /** The arena would not take the vote: say so, and go on from where that leaves the voter. */
  #refused(problem, choice) {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.status === 429 && choice === "skip") {
      this.#setPhase(this.#pair.seenBoth ? "ready" : "watching");
      this.view.setChoice(null);
      this.#pair.resume().catch(() => {});
      return this.view.setStatus(problem.message, "nudge");
    }
    const track = this.#track.name;
    this.#openTrack(track).then(() => this.view.setStatus(refusals(problem), "nudge"));
  }

  #onTrouble(trouble) {
    this.view.setStatus(troubles(trouble), "nudge");
    if (trouble.kind !== "limit" && this.#phase === "sent" && this.#behind.loaded) this.#moveOn?.();
  }
}
