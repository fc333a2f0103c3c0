// @ts-check
// The elements of the vote page. All content is set as text, never as HTML.

import { BASE_URL } from "./api.js";
import { ICONS } from "./icons.js";
import { PHASES } from "./phases.js";
import { SIDES } from "./sides.js";
import { sourceLabel } from "./source.js";
import { TEMPLATE } from "./template.js";

/** @import { Battle, Choice, RevealedSide, VoteResult } from "./api.js" */
/** @import { Screen } from "./error-screens.js" */
/** @import { Phase } from "./phases.js" */
/** @import { PerSide, Side } from "./sides.js" */
/** @import { Sense } from "./watch-account.js" */

/** @type {Readonly<Record<Choice, string>>} */
const RESULTS = { a: "A won", b: "B won", tie: "about equal", bad: "both bad", skip: "skipped" };
const DEFAULT_TITLE = "Hippodrome";

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

const FITTED = ".status, .last-result, .model-info.revealed";
const MOST_FIT = 2; // the smallest letters, in the style sheets

/**
 * Make a text as small as it must be to show all of it in its place, which keeps its size.
 * @param {HTMLElement} element
 */
function fitText(element) {
  for (let fit = 0; fit <= MOST_FIT; fit += 1) {
    element.dataset.fit = String(fit);
    const parts = [element, ...element.children];
    const isCut = parts.some(
      ({ scrollWidth, clientWidth, scrollHeight, clientHeight }) =>
        clientWidth > 0 && (scrollWidth > clientWidth + 1 || scrollHeight > clientHeight + 1),
    );
    if (!isCut) return;
  }
}

export class View {
  /** @type {Map<string, number>} */
  #percent = new Map();

  /** @param {HTMLElement} host */
  constructor(host) {
    this.root = document.createElement("div");
    this.root.className = "duel";
    this.root.innerHTML = TEMPLATE;
    const title = document.querySelector("meta[property='og:site_name']")?.getAttribute("content");
    this.find(".brand-name").textContent = title || DEFAULT_TITLE;
    for (const link of this.root.querySelectorAll("a[data-page]")) {
      if (!(link instanceof HTMLAnchorElement)) continue;
      link.href = new URL(link.dataset.page ?? "", BASE_URL).href;
    }
    host.append(this.root);
    this.root.addEventListener("contextmenu", (event) => {
      if (event.target instanceof HTMLMediaElement) event.preventDefault();
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

  /** @returns {PerSide<HTMLElement>} */
  get frames() {
    return { a: this.find("[data-side=a] .frame"), b: this.find("[data-side=b] .frame") };
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

  /** Scroll to one clip, where they are shown one at a time. @param {Side} side */
  showSide(side) {
    const stage = this.find(".stage");
    const left = side === "a" ? 0 : stage.scrollWidth;
    stage.scrollTo({ left, behavior: "smooth" });
  }

  /** @param {Phase} phase */
  setPhase(phase) {
    this.root.dataset.phase = phase;
    const { enabled } = PHASES[phase];
    // Not the attribute `disabled`, which would take the focus away before the next pair.
    for (const button of this.#buttons(".vote")) {
      button.setAttribute("aria-disabled", String(!enabled.includes("choice")));
    }
    for (const input of /** @type {const} */ (["skip", "pause", "replay"])) {
      for (const button of this.#buttons(`[data-input=${input}]`)) {
        button.setAttribute("aria-disabled", String(!enabled.includes(input)));
      }
    }
  }

  /** @param {Battle | null} battle */
  setBattle(battle) {
    this.find(".prompt").textContent = battle?.prompt.text ?? "";
    this.find(".whole-prompt .text").textContent = battle?.prompt.text ?? "";
    const source = sourceLabel(battle?.prompt);
    this.find(".source figcaption").textContent = source;
    this.find(".enlarge").setAttribute("aria-label", `${source}: show it larger`);
    this.root.dataset.battle = battle ? "yes" : "no";
    this.measurePrompt();
    this.setChoice(null);
    for (const side of SIDES) {
      this.setProgress(side, "watched", 0);
      this.setProgress(side, "heard", 0);
      const info = this.find(`[data-reveal=${side}]`);
      info.replaceChildren();
      info.classList.remove("revealed");
    }
  }

  /** Offer "more" where the prompt does not fit into its block. */
  measurePrompt() {
    const prompt = this.find(".prompt");
    const lineHeight = Number.parseFloat(getComputedStyle(prompt).lineHeight) || 1;
    const area = this.find(".prompt-area");
    const rest = area.clientHeight - prompt.offsetTop;
    const lines = Math.max(1, Math.floor((rest + 2) / lineHeight));
    this.root.style.setProperty("--prompt-lines", String(lines));
    this.find(".more").hidden = prompt.scrollHeight <= prompt.clientHeight + 2;
  }

  /** Fit the texts into their places, after the window has changed. */
  fitTexts() {
    this.measurePrompt();
    for (const text of this.root.querySelectorAll(FITTED))
      fitText(/** @type {HTMLElement} */ (text));
  }

  /** @param {boolean} shown whether the prompts of the track have a source */
  setSourceShown(shown) {
    this.find(".source").hidden = !shown;
  }

  /** @param {string} text */
  setPromptLabel(text) {
    this.find(".prompt-label").textContent = text;
  }

  /**
   * @param {Side} side
   * @param {Sense} sense
   * @param {number} share of the required time that was watched or heard, 0 to 1
   */
  setProgress(side, sense, share) {
    const percent = Math.floor(share * 100);
    const key = side + sense;
    if (percent === this.#percent.get(key)) return;
    this.#percent.set(key, percent);
    const mark = this.find(`[data-side=${side}] [data-mark=${sense}]`);
    mark.style.setProperty("--progress", share.toFixed(3));
    mark.setAttribute("aria-valuenow", String(percent));
    mark.classList.toggle("complete", percent >= 100);
  }

  /**
   * @param {Side | null} audibleSide null while both are muted
   * @param {"silent" | "sound" | "cannotHear"} mode of the track and the voter
   */
  setSound(audibleSide, mode) {
    this.root.dataset.sound = mode;
    for (const side of SIDES) {
      const button = this.find(`[data-sound=${side}]`);
      const isAudible = audibleSide === side;
      const name = side.toUpperCase();
      this.find(`[data-side=${side}]`).classList.toggle("audible", isAudible);
      button.hidden = mode !== "sound";
      button.setAttribute("aria-pressed", String(isAudible));
      button.setAttribute("aria-label", isAudible ? `You hear ${name}` : `Listen to ${name}`);
      button.title = "Switch the sound (S)";
      this.#setIcon(`[data-sound=${side}]`, isAudible ? "audible" : "muted");
      this.#setLabel(`[data-sound=${side}]`, isAudible ? `You hear ${name}` : "Muted");
    }
    const hearing = this.find(".hearing");
    hearing.hidden = mode === "silent";
    hearing.setAttribute("aria-pressed", String(mode === "cannotHear"));
    hearing.title = mode === "cannotHear" ? "I can hear sound" : "I cannot hear sound";
    this.#setLabel(".hearing", mode === "cannotHear" ? "I can hear" : "I cannot hear sound");
  }

  /** @param {boolean} paused */
  setPaused(paused) {
    this.#setIcon("[data-input=pause]", paused ? "play" : "pause");
    this.#setLabel("[data-input=pause]", paused ? "Play" : "Pause");
  }

  /** @param {string | null} label null hides the button */
  setStartButton(label) {
    this.find(".start-panel").hidden = !label;
    this.#setLabel(".start", label ?? "");
  }

  /** @param {boolean} on */
  setFullscreen(on) {
    this.root.classList.toggle("fullscreen", on);
    this.#setIcon("[data-input=fullscreen]", on ? "exitFullscreen" : "fullscreen");
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
    if (status.textContent !== text) {
      status.textContent = text;
      fitText(status);
    }
    status.title = text;
    status.dataset.tone = tone;
  }

  /**
   * @param {Screen | null} screen shown instead of the clips
   * @param {HTMLElement[]} [ways] what else the voter can do
   */
  setMessage(screen, ways = []) {
    this.find(".message").hidden = !screen;
    this.root.classList.toggle("has-message", Boolean(screen));
    this.find(".message h2").textContent = screen?.title ?? "";
    this.find(".message .text").textContent = screen?.text ?? "";
    this.find(".message .contribution").textContent = "";
    const retry = this.find(".retry");
    retry.textContent = screen?.action ?? "";
    this.find(".ways").replaceChildren(...ways, retry);
  }

  /** @param {string} text */
  setContribution(text) {
    this.find(".message .contribution").textContent = text;
  }

  /** @param {number} votes */
  setCount(votes) {
    const count = this.find(".count");
    count.replaceChildren(element("b", "", String(votes)), votes === 1 ? " vote" : " votes");
    count.title = "Your votes in this session: see what became of them";
    count.hidden = votes === 0;
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
      info.title = `${name} · ${details.filter(Boolean).join(" · ")}`;
      info.classList.add("revealed");
      fitText(info);
    }
  }

  /**
   * Show the result of the last battle in the footer.
   * @param {PerSide<RevealedSide>} reveal
   * @param {VoteResult} result
   */
  setLastResult(reveal, { choice, receipt }) {
    const line = this.find(".last-result");
    line.replaceChildren(
      "Last pair: A was ",
      element("b", "", reveal.a.name),
      ", B was ",
      element("b", "", reveal.b.name),
      ` · ${RESULTS[choice]}`,
    );
    line.title = `${line.textContent} · receipt ${receipt}`;
    line.hidden = false;
    fitText(line);
  }

  /**
   * Say in the footer that the last pair was a check.
   * @param {string} reason one sentence
   * @param {VoteResult} result
   */
  setLastCheck(reason, { receipt }) {
    const line = this.find(".last-result");
    line.replaceChildren(reason.replace(/^This pair/, "The last pair"));
    line.title = `${line.textContent} · receipt ${receipt}`;
    line.hidden = false;
    fitText(line);
  }

  /** @param {string | null} label of the button that withdraws the last vote; null hides it */
  setWithdrawal(label) {
    const button = this.find(".withdraw");
    button.hidden = label === null;
    if (label !== null) this.find(".withdraw .label").textContent = label;
  }
}
