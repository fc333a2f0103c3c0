// @ts-check
// The elements of the vote page. All content is set as text, never as HTML.

import { PHASES } from "./phases.js";
import { SIDES } from "./sides.js";
import { ICONS, TEMPLATE } from "./template.js";

/** @import { Battle, Choice, RevealedSide, Track, VoteResult } from "./api.js" */
/** @import { Screen } from "./error-screens.js" */
/** @import { Phase } from "./phases.js" */
/** @import { PerSide, Side } from "./sides.js" */

/** @type {Readonly<Record<Choice, string>>} */
const RESULTS = { a: "A won", b: "B won", tie: "about equal", bad: "both bad", skip: "skipped" };

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} text
 */
const element = (tag, className, text) => {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
};

export class View {
  /** @type {PerSide<number>} */
  #percent = { a: -1, b: -1 };

  /** @param {HTMLElement} host */
  constructor(host) {
    this.root = document.createElement("section");
    this.root.className = "duel";
    this.root.setAttribute("aria-label", "Two clips of one prompt");
    this.root.innerHTML = TEMPLATE;
    host.append(this.root);
    this.root.addEventListener("contextmenu", (event) => {
      if (event.target instanceof HTMLVideoElement) event.preventDefault();
    });
  }

  /**
   * @param {string} selector
   * @returns {HTMLElement}
   */
  find(selector) {
    const found = this.root.querySelector(selector);
    if (!(found instanceof HTMLElement)) throw new Error(`no element matches ${selector}`);
    return found;
  }

  /** @param {string} selector @returns {HTMLButtonElement[]} */
  #buttons(selector) {
    return [...this.root.querySelectorAll(selector)].filter(
      (node) => node instanceof HTMLButtonElement,
    );
  }

  /** @param {Side} side @returns {HTMLVideoElement[]} */
  #videos(side) {
    return [...this.find(`[data-side=${side}]`).querySelectorAll("video")];
  }

  /**
   * The two videos of one buffer: 0 or 1.
   * @param {number} buffer
   * @returns {PerSide<HTMLVideoElement>}
   */
  videos(buffer) {
    return { a: this.#videos("a")[buffer], b: this.#videos("b")[buffer] };
  }

  /** @param {number} buffer the one to show */
  showBuffer(buffer) {
    for (const side of SIDES) {
      for (const [index, video] of this.#videos(side).entries()) {
        const shown = index === buffer;
        video.classList.toggle("front", shown);
        video.toggleAttribute("aria-hidden", !shown);
        video.setAttribute("aria-label", shown ? `Clip ${side.toUpperCase()}` : "");
      }
    }
  }

  /** @param {Phase} phase */
  setPhase(phase) {
    this.root.dataset.phase = phase;
    const { enabled } = PHASES[phase];
    for (const button of this.#buttons(".vote")) button.disabled = !enabled.includes("choice");
    for (const input of /** @type {const} */ (["skip", "pause", "replay"])) {
      for (const button of this.#buttons(`[data-input=${input}]`)) {
        button.disabled = !enabled.includes(input);
      }
    }
  }

  /**
   * @param {Track[]} tracks
   * @param {string} selected
   */
  setTracks(tracks, selected) {
    const group = this.find(".tracks");
    group.replaceChildren(
      ...tracks.map(({ name, label }) => {
        const button = element("button", "track", label);
        button.setAttribute("type", "button");
        button.dataset.track = name;
        button.setAttribute("aria-pressed", String(name === selected));
        return button;
      }),
    );
    group.hidden = tracks.length < 2;
  }

  /** @param {Battle | null} battle */
  setBattle(battle) {
    this.find(".prompt").textContent = battle?.prompt.text ?? "";
    this.root.dataset.battle = battle ? "yes" : "no";
    this.setChoice(null);
    for (const side of SIDES) {
      this.setProgress(side, 0);
      const info = this.find(`[data-reveal=${side}]`);
      info.replaceChildren(element("span", "placeholder", "Name after your vote"));
      info.classList.remove("revealed");
    }
  }

  /**
   * @param {Side} side
   * @param {number} share of the required time that was watched, 0 to 1
   */
  setProgress(side, share) {
    const percent = Math.floor(share * 100);
    const figure = this.find(`[data-side=${side}]`);
    figure.style.setProperty("--progress", share.toFixed(3));
    if (percent === this.#percent[side]) return;
    this.#percent[side] = percent;
    this.find(`[data-side=${side}] .progress`).setAttribute("aria-valuenow", String(percent));
    figure.classList.toggle("complete", percent >= 100);
  }

  /** @param {Side | null | undefined} audibleSide undefined in a track without sound */
  setSound(audibleSide) {
    for (const side of SIDES) {
      const button = this.find(`[data-sound=${side}]`);
      const isAudible = audibleSide === side;
      button.hidden = audibleSide === undefined;
      button.setAttribute("aria-pressed", String(isAudible));
      button.setAttribute("aria-label", `Listen to ${side.toUpperCase()}`);
      button.title = "Switch the sound (S)";
      this.#setIcon(`[data-sound=${side}]`, isAudible ? "audible" : "muted");
      this.#setLabel(`[data-sound=${side}]`, isAudible ? "Sound on" : "Listen");
    }
  }

  /** @param {boolean} paused */
  setPaused(paused) {
    this.#setIcon("[data-input=pause]", paused ? "play" : "pause");
    this.#setLabel("[data-input=pause]", paused ? "Play" : "Pause");
  }

  /** @param {string | null} label null hides the button */
  setStartButton(label) {
    this.find(".start").hidden = !label;
    this.#setLabel(".start", label ?? "");
  }

  /** @param {string} button @param {keyof typeof ICONS} name */
  #setIcon(button, name) {
    this.find(`${button} .icon`).innerHTML = ICONS[name];
  }

  /** @param {string} button @param {string} text */
  #setLabel(button, text) {
    this.find(`${button} .label`).textContent = text;
  }

  /** @param {Choice | null} choice */
  setChoice(choice) {
    for (const button of this.#buttons(".vote")) {
      button.classList.toggle("chosen", button.dataset.choice === choice);
    }
    for (const side of SIDES) {
      this.find(`[data-side=${side}]`).classList.toggle("preferred", side === choice);
    }
  }

  /**
   * @param {string} text
   * @param {"" | "prompt" | "warning"} [tone]
   */
  setStatus(text, tone = "") {
    const status = this.find(".status");
    status.textContent = text;
    status.dataset.tone = tone;
  }

  /** @param {Screen | null} screen shown instead of the clips */
  setMessage(screen) {
    this.find(".message").hidden = !screen;
    this.root.classList.toggle("has-message", Boolean(screen));
    this.find(".message h2").textContent = screen?.title ?? "";
    this.find(".message p").textContent = screen?.text ?? "";
    this.find(".retry").textContent = screen?.action ?? "";
  }

  /** @param {number} votes */
  setCount(votes) {
    this.find(".count b").textContent = String(votes);
    this.find(".count span").textContent = votes === 1 ? "vote this session" : "votes this session";
  }

  /**
   * @param {"keys" | "showNames"} setting
   * @param {boolean} on
   */
  setToggle(setting, on) {
    this.find(`[data-input=${setting}]`).setAttribute("aria-pressed", String(on));
  }

  /**
   * Show the names, each below its own clip.
   * @param {PerSide<RevealedSide>} reveal
   */
  setNames(reveal) {
    for (const side of SIDES) {
      const { name, creator, rating } = reveal[side];
      const details = [creator, rating === null ? null : `Elo ${Math.round(rating)}`];
      const info = this.find(`[data-reveal=${side}]`);
      info.replaceChildren(
        element("b", "model", name),
        element("span", "details", details.filter(Boolean).join(" · ")),
      );
      info.classList.add("revealed");
    }
  }

  /**
   * Show the result of the last battle in the footer.
   * @param {PerSide<RevealedSide>} reveal
   * @param {VoteResult} result
   */
  setLastResult(reveal, { choice, receipt }) {
    /** @param {RevealedSide} side */
    const model = ({ name, rating }) => [
      element("b", "", name),
      rating === null ? "" : ` ${Math.round(rating)}`,
    ];
    const line = this.find(".last-result");
    line.replaceChildren(
      "Last pair: A was ",
      ...model(reveal.a),
      ", B was ",
      ...model(reveal.b),
      ` · ${RESULTS[choice]}`,
    );
    line.title = `Receipt ${receipt}`;
    line.hidden = false;
  }

  /** Tell screen readers. @param {string} text */
  announce(text) {
    this.find(".live-region").textContent = text;
  }
}
