// @ts-check
// The markup of the vote page. It is fixed: what a battle contains is added as text by `view.js`.

/** @import { Choice } from "./api.js" */
/** @import { Side } from "./sides.js" */

/** @param {string} paths */
const icon = (paths) =>
  `<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" ` +
  `stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">${paths}</svg>`;

export const ICONS = {
  muted: icon('<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z"/><path d="m16 9.5 5 5m0-5-5 5"/>'),
  audible: icon(
    '<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z"/>' +
      '<path d="M15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"/>',
  ),
  pause: icon('<path d="M9 6v12M15 6v12"/>'),
  play: icon('<path d="M8 5.5v13l10.5-6.5z"/>'),
  replay: icon('<path d="M5 12a7 7 0 1 0 2.2-5.1L5 9"/><path d="M5 4.5V9h4.5"/>'),
  skip: icon('<path d="M5 6v12l8.5-6zM18 6v12"/>'),
  fullscreen: icon('<path d="M4 9V5h4M20 9V5h-4M4 15v4h4M20 15v4h-4"/>'),
  keys: icon(
    '<rect x="3" y="7" width="18" height="11" rx="2"/>' +
      '<path d="M7 11h.01M11 11h.01M15 11h.01M8 14.5h8"/>',
  ),
  showNames: icon(
    '<path d="M4 12s3-5.5 8-5.5 8 5.5 8 5.5-3 5.5-8 5.5S4 12 4 12z"/>' +
      '<circle cx="12" cy="12" r="2.4"/>',
  ),
  check: icon('<path d="m5 12.5 4.5 4.5L19 7.5"/>'),
};

/** @type {readonly {choice: Choice, label: string, arrow: string, key: string}[]} */
const VOTE_BUTTONS = [
  { choice: "a", label: "A is better", arrow: "←", key: "ArrowLeft" },
  { choice: "tie", label: "About equal", arrow: "↑", key: "ArrowUp" },
  { choice: "bad", label: "Both bad", arrow: "↓", key: "ArrowDown" },
  { choice: "b", label: "B is better", arrow: "→", key: "ArrowRight" },
];

// Two for each side: the clip on screen, and the next one loading behind it.
const VIDEO =
  '<video playsinline disablepictureinpicture disableremoteplayback preload="auto" tabindex="-1" ' +
  'controlslist="nodownload noremoteplayback nofullscreen"></video>';

/** @param {Side} name */
const side = (name) => `
  <figure class="side" data-side="${name}">
    <div class="frame">
      ${VIDEO}${VIDEO}
      <div class="loader" aria-hidden="true"></div>
    </div>
    <div class="progress" role="progressbar" aria-label="Clip ${name.toUpperCase()} watched"
         aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><i></i></div>
    <figcaption class="caption">
      <b class="side-label">${name.toUpperCase()}</b>
      <span class="model-info" data-reveal="${name}"></span>
      <span class="complete-mark" aria-hidden="true">${ICONS.check}</span>
      <button type="button" class="sound" data-sound="${name}" hidden>
        <span class="icon"></span><span class="label"></span>
      </button>
    </figcaption>
  </figure>`;

/**
 * @param {keyof typeof ICONS} input also the name of its icon
 * @param {string} label
 * @param {{isToggle?: boolean, key?: string}} [options]
 */
const tool = (input, label, { isToggle = false, key = "" } = {}) =>
  `<button type="button" class="tool" data-input="${input}" ` +
  `title="${label}${key && ` (${key})`}"` +
  `${isToggle ? ' aria-pressed="true"' : ""}${key ? ` aria-keyshortcuts="${key}"` : ""}>` +
  `<span class="icon">${ICONS[input]}</span><span class="label">${label}</span></button>`;

export const TEMPLATE = `
  <div class="toolbar">
    <div class="tracks" role="group" aria-label="Track"></div>
    <div class="tools">
      <span class="count"><b>0</b> <span></span></span>
      ${tool("keys", "Keys", { isToggle: true })}
      ${tool("showNames", "Pause on names", { isToggle: true })}
      ${tool("fullscreen", "Full screen", { key: "F" })}
    </div>
  </div>
  <div class="prompt-area"><span class="prompt-label">Prompt</span><h1 class="prompt"></h1></div>
  <div class="stage">
    ${side("a")}${side("b")}
    <button type="button" class="start" data-input="start" hidden>
      <span class="icon">${ICONS.audible}</span><span class="label"></span>
    </button>
    <div class="message" role="alert" hidden>
      <h2></h2><p></p><button type="button" class="retry" data-input="retry"></button>
    </div>
  </div>
  <div class="votes" role="group" aria-label="Your vote">
    ${VOTE_BUTTONS.map(
      ({ choice, label, arrow, key }) =>
        `<button type="button" class="vote" data-choice="${choice}" aria-keyshortcuts="${key}" ` +
        `disabled><span>${label}</span><kbd>${arrow}</kbd></button>`,
    ).join("")}
  </div>
  <div class="footer">
    <p class="status"></p>
    <div class="playback">
      ${tool("pause", "Pause", { key: "Space" })}
      ${tool("replay", "Replay", { key: "R" })}
      ${tool("skip", "Skip", { key: "X" })}
    </div>
    <p class="last-result" hidden></p>
  </div>
  <div class="live-region" aria-live="polite"></div>`;
