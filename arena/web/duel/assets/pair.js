// The two clips of a battle as one thing: loaded together, started together, kept in step.

const NUDGE_IN_S = 0.03; // start correcting beyond this drift
const NUDGE_OUT_S = 0.008; // and stop within this
const NUDGE_RATE = 0.05; // by playing this much slower or faster
const SEEK_S = 0.25; // beyond this a rate no longer catches up
const LEAP_S = 0.5; // media time that cannot have been watched between two ticks
const END_SLACK_MS = 100; // a container may round its duration by a frame or two
const START_TIMEOUT_MS = 8_000; // a clip that will not buffer is started with what it has

export const SIDES = ["a", "b"];

const once = (target, event, signal) =>
  new Promise((resolve) => target.addEventListener(event, resolve, { once: true, signal }));
const timeout = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Pair {
  #last = { a: 0, b: 0 };
  #nudging = false;
  #held = false;
  #loads = 0;

  /** `videos` are the two elements {a, b}, whose sources this object sets. */
  constructor(videos) {
    this.videos = videos;
    this.battle = null;
    this.audible = null; // the side that sounds
    this.counting = false; // whether what plays counts as watched
    this.playing = false;
    this.broken = false;
    this.#forget();
    for (const video of Object.values(videos)) {
      video.addEventListener("error", () => {
        if (video.getAttribute("src")) this.broken = true;
      });
    }
  }

  #forget() {
    this.watched = { a: 0, b: 0 };
    this.heard = { a: 0, b: 0 };
    this.passes = 0;
    this.broken = false;
  }

  load(battle) {
    this.clear();
    this.battle = battle;
    for (const side of SIDES) {
      const video = this.videos[side];
      video.muted = true;
      video.src = battle[side].video;
      video.load();
    }
  }

  clear() {
    this.pause();
    this.#loads += 1;
    this.#forget();
    this.battle = null;
    this.counting = false;
    this.audible = null;
    for (const video of Object.values(this.videos)) {
      video.removeAttribute("src");
      video.load();
    }
  }

  #each(test) {
    return SIDES.every((side) => test(this.videos[side]));
  }

  get loaded() {
    return this.#each((video) => video.readyState === HTMLMediaElement.HAVE_ENOUGH_DATA);
  }

  get ended() {
    return this.#each((video) => video.ended);
  }

  /** Seconds of the longer clip. */
  get duration() {
    return Math.max(0, ...SIDES.map((side) => this.videos[side].duration || 0));
  }

  /** Where the longer-running clip is, in seconds. */
  get position() {
    return Math.max(...SIDES.map((side) => this.videos[side].currentTime));
  }

  /** Share of the asked-for time that was watched on one side, 0 to 1. */
  seen(side) {
    const required = this.battle?.min_watch_ms || this.duration * 1_000;
    return required > 0 ? Math.min(1, this.watched[side] / required) : 0;
  }

  get seenBoth() {
    return this.battle !== null && SIDES.every((side) => this.seen(side) >= 1);
  }

  /** Resolves true when both clips can play through; false when another pair took their place. */
  async whenLoaded() {
    const load = this.#loads;
    const abort = new AbortController();
    const ready = SIDES.map((side) => {
      const video = this.videos[side];
      return video.readyState === HTMLMediaElement.HAVE_ENOUGH_DATA
        ? null
        : Promise.race([
            once(video, "canplaythrough", abort.signal),
            once(video, "error", abort.signal),
          ]);
    });
    await Promise.race([Promise.all(ready), timeout(START_TIMEOUT_MS)]);
    abort.abort();
    return load === this.#loads;
  }

  /** Both from their first frame at once. Rejects where the browser wants a gesture for sound. */
  async restart() {
    this.pause();
    await Promise.all(
      SIDES.map((side) => {
        const video = this.videos[side];
        if (video.currentTime === 0 && !video.ended) return null;
        const seeked = once(video, "seeked");
        video.currentTime = 0;
        return Promise.race([seeked, timeout(500)]);
      }),
    );
    this.#last = { a: 0, b: 0 };
    await this.resume();
  }

  async resume() {
    this.#applySound();
    this.playing = true;
    this.#held = false;
    try {
      const pending = SIDES.filter((side) => !this.videos[side].ended);
      await Promise.all(pending.map((side) => this.videos[side].play()));
    } catch (error) {
      if (error.name === "AbortError") return; // paused or replaced meanwhile
      this.pause();
      throw error;
    }
  }

  pause() {
    this.playing = false;
    for (const video of Object.values(this.videos)) {
      video.pause();
      video.playbackRate = 1;
    }
    this.#nudging = false;
  }

  /** Let one side sound, or none. */
  sound(side) {
    this.audible = side;
    this.#applySound();
  }

  #applySound() {
    for (const side of SIDES) this.videos[side].muted = side !== this.audible;
  }

  /** Called on every animation frame: what was watched, and the step of the two. */
  tick() {
    for (const side of SIDES) this.#account(side);
    if (this.playing) this.#keepStep();
  }

  #account(side) {
    const video = this.videos[side];
    const moved = video.currentTime - this.#last[side];
    this.#last[side] = video.currentTime;
    if (!this.counting) return;
    if (moved > 0 && moved < LEAP_S) {
      this.watched[side] += moved * 1_000;
      if (side === this.audible) this.heard[side] += moved * 1_000;
    }
    const whole = video.duration * 1_000;
    if (video.ended && this.watched[side] >= whole - END_SLACK_MS) {
      const required = this.battle?.min_watch_ms ?? 0;
      const rounded = Math.abs(required - whole) <= END_SLACK_MS ? required : whole;
      this.watched[side] = Math.max(this.watched[side], rounded);
    }
  }

  #keepStep() {
    // The side that sounds is the clock: a rate is heard, so only the muted side is corrected.
    const leadSide = this.audible ?? "a";
    const lead = this.videos[leadSide];
    const other = this.videos[leadSide === "a" ? "b" : "a"];
    if (lead.ended || other.ended) {
      other.playbackRate = 1;
      return;
    }
    if (this.#waitForData(lead, other)) return;
    const drift = other.currentTime - lead.currentTime;
    if (Math.abs(drift) > SEEK_S) {
      other.currentTime = lead.currentTime;
      this.#nudging = false;
    } else if (Math.abs(drift) > NUDGE_IN_S) {
      this.#nudging = true;
    } else if (Math.abs(drift) < NUDGE_OUT_S) {
      this.#nudging = false;
    }
    const rate = this.#nudging ? 1 - Math.sign(drift) * NUDGE_RATE : 1;
    if (other.playbackRate !== rate) other.playbackRate = rate;
    if (lead.playbackRate !== 1) lead.playbackRate = 1;
  }

  /** Hold both while either starves; true while they are held. */
  #waitForData(lead, other) {
    const starving = [lead, other].some(
      (video) => video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !video.seeking,
    );
    if (starving && !this.#held) {
      this.#held = true;
      lead.pause();
      other.pause();
    } else if (!starving && this.#held) {
      this.#held = false;
      for (const video of [lead, other]) video.play().catch(() => {});
    }
    return this.#held;
  }

  get held() {
    return this.#held;
  }
}
