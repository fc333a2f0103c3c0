// @ts-check
// The markup of the vote page. It is fixed: what a battle contains is added as text by `view.js`.

import { ICONS } from "./icons.js";
import { KEY_HELP, VOTE_LABELS } from "./keys.js";

/** @import { Choice } from "./api.js" */
/** @import { Side } from "./sides.js" */

/** @type {readonly {choice: Choice, label: string, short: string, arrow: string, key: string}[]} */
const VOTE_BUTTONS = [
  { choice: "a", label: VOTE_LABELS.a, short: "A", arrow: "←", key: "ArrowLeft" },
  { choice: "tie", label: VOTE_LABELS.tie, short: "Equal", arrow: "↑", key: "ArrowUp" },
  { choice: "bad", label: VOTE_LABELS.bad, short: "Both bad", arrow: "↓", key: "ArrowDown" },
  { choice: "b", label: VOTE_LABELS.b, short: "B", arrow: "→", key: "ArrowRight" },
];

// Two for each side: the clip on screen, and the next one loading behind it.
const VIDEO =
  '<video playsinline disablepictureinpicture disableremoteplayback preload="auto" tabindex="-1" ' +
  'controlslist="nodownload noremoteplayback nofullscreen"></video>';

/** @param {string} name @param {string} kind @param {string} label @param {string} icon */
const mark = (name, kind, label, icon) =>
  `<span class="mark" data-mark="${kind}" role="progressbar" aria-valuemin="0" ` +
  `aria-valuemax="100" aria-valuenow="0" aria-label="Clip ${name}: ${label}">` +
  `<span class="icon">${icon}</span><span class="done">${ICONS.check}</span>` +
  `<span class="text">${label}</span></span>`;

/** @param {Side} name @param {Side} other */
const side = (name, other) => `
  <figure class="side" data-side="${name}">
    <div class="frame">
      ${VIDEO}${VIDEO}
      <button type="button" class="sound" data-sound="${name}" hidden>
        <span class="icon"></span><span class="label"></span>
      </button>
      <div class="loader" aria-hidden="true"></div>
    </div>
    <figcaption class="caption">
      <b class="side-label">${name.toUpperCase()}</b>
      <span class="marks">${mark(name.toUpperCase(), "watched", "seen", ICONS.eye)}
        ${mark(name.toUpperCase(), "heard", "heard", ICONS.ear)}</span>
      <span class="model-info" data-reveal="${name}"></span>
      <button type="button" class="other-side" data-show="${other}">Show ${other.toUpperCase()}
        <span aria-hidden="true">${name === "a" ? "›" : "‹"}</span></button>
    </figcaption>
  </figure>`;

/**
 * @param {"pause" | "replay" | "skip" | "fullscreen"} input also the name of its icon
 * @param {string} label
 * @param {string} key
 */
const tool = (input, label, key) =>
  `<button type="button" class="tool" data-input="${input}" title="${label} (${key})" ` +
  `aria-keyshortcuts="${key}"><span class="icon">${ICONS[input]}</span>` +
  `<span class="label">${label}</span></button>`;

/** @param {string} name @param {string} label @param {string} explanation */
const setting = (name, label, explanation) => `
  <label class="setting"><input type="checkbox" data-setting="${name}">
    <span><b>${label}</b><br>${explanation}</span></label>`;

const HELP = `
  <dialog class="panel help" aria-labelledby="duel-help-title">
    <form method="dialog"><button class="close" aria-label="Close">×</button></form>
    <h2 id="duel-help-title">How to vote</h2>
    <p>Two models made a video from the same prompt. Watch both clips to the end, and with sound
      listen to both, then say which is better. Their names appear after your vote.</p>
    <div class="keys">${KEY_HELP.map(
      ([key, meaning]) => `<kbd>${key}</kbd><span>${meaning}</span>`,
    ).join("")}</div>
    ${setting("keys", "Keyboard shortcuts", "Vote and control the clips with the keys above.")}
    ${setting("showNames", "Pause on names", "Show the names for a moment before the next pair.")}
    ${setting(
      "cannotHear",
      "I cannot hear sound",
      "Judge the picture only. Such votes are kept apart from the ratings of sound.",
    )}
    <p class="links"><a data-page="leaderboard">Leaderboard</a> <a data-page="me">Your votes</a>
      <a data-page="about">About</a>
      <button type="button" data-input="fullscreen">Full screen</button></p>
  </dialog>`;

export const TEMPLATE = `
  <header class="toolbar">
    <a class="brand" data-page="">${ICONS.mark}<span class="brand-name"></span></a>
    <div class="axis modality" role="group" aria-label="Track: what the models were given"></div>
    <div class="axis audio" role="group" aria-label="Track: with or without sound"></div>
    <select class="track-list" aria-label="Track" hidden></select>
    <select class="track-menu" aria-label="Track"></select>
    <a class="link count" data-page="me" hidden></a>
    <a class="link" data-page="leaderboard">Leaderboard</a>
    <a class="link" data-page="about">About</a>
    <button type="button" class="tool round" data-input="help" title="Keys and settings (?)"
            aria-label="Keys and settings" aria-keyshortcuts="?">?</button>
    ${tool("fullscreen", "Full screen", "F")}
  </header>
  <main class="content">
    <section class="brief" aria-label="Prompt">
      <figure class="source" hidden>
        <div class="source-frame">
          <button type="button" class="enlarge" data-input="source">${ICONS.fullscreen}</button>
        </div>
        <figcaption></figcaption>
      </figure>
      <div class="prompt-area">
        <p class="prompt-label"></p>
        <h1 class="prompt" dir="auto"></h1>
        <button type="button" class="more" data-input="more" aria-keyshortcuts="M" hidden>more</button>
      </div>
    </section>
    <div class="stage">
      ${side("a", "b")}${side("b", "a")}
    </div>
    <div class="start-panel" hidden>
      <button type="button" class="start" data-input="start">
        <span class="icon">${ICONS.audible}</span><span class="label"></span>
      </button>
      <button type="button" class="cannot-hear" data-input="cannotHear">I cannot hear sound</button>
    </div>
    <div class="message" role="alert" hidden>
      <h2></h2><p class="text"></p><p class="contribution"></p>
      <div class="ways"><button type="button" class="retry" data-input="retry"></button></div>
    </div>
  </main>
  <div class="bar">
    <div class="votes" role="group" aria-label="Your vote">
      ${VOTE_BUTTONS.map(
        ({ choice, label, short, arrow, key }) =>
          `<button type="button" class="vote" data-choice="${choice}" aria-keyshortcuts="${key}" ` +
          `aria-label="${label}" aria-disabled="true"><span class="long">${label}</span>` +
          `<span class="short" aria-hidden="true">${short}</span><kbd aria-hidden="true">${arrow}</kbd></button>`,
      ).join("")}
    </div>
    <div class="footer">
      <p class="status" role="status" aria-live="polite"></p>
      <p class="last-result" hidden></p>
      <button type="button" class="tool withdraw" data-input="withdraw" aria-keyshortcuts="Z" hidden
              title="A vote can be withdrawn for ten seconds, while no names were shown (Z)">
        <span class="label"></span></button>
      <button type="button" class="tool hearing" data-input="cannotHear" aria-pressed="false" hidden>
        <span class="icon">${ICONS.muted}</span><span class="label">I cannot hear sound</span></button>
      ${tool("pause", "Pause", "Space")}
      ${tool("replay", "Replay", "R")}
      ${tool("skip", "Skip", "X")}
    </div>
  </div>
  ${HELP}
  <dialog class="panel whole-prompt" aria-label="The whole prompt">
    <form method="dialog"><button class="close" aria-label="Close">×</button></form>
    <p class="text" dir="auto" tabindex="0"></p>
  </dialog>
  <dialog class="panel whole-source" aria-label="The source of the prompt">
    <form method="dialog"><button class="close" aria-label="Close">×</button></form>
    <div class="large-frame"></div>
  </dialog>`;
