// @ts-check
// The page of a voter's own votes: receipts, what became of them, a download, and leaving.

import { Api, ApiError, BASE_URL } from "./api.js";
import { VOTE_LABELS } from "./keys.js";

/** @import { Choice, OwnVote } from "./api.js" */

/** @type {Readonly<Record<Choice, string>>} */
const CHOICES = { ...VOTE_LABELS, skip: "Skipped" };

/** @type {Readonly<Record<OwnVote["status"], string>>} */
const STATUSES = {
  counted: "counted",
  held: "held",
  skipped: "skipped",
};
const HEADINGS = ["Vote", "When", "Track", "Prompt", "Your answer", "Models", "Status", "Receipt"];
const RULE =
  "Leaving deletes what connects your votes to this browser. The votes stay counted, because " +
  "published leaderboards rest on them, and nobody can tell any more whose they are. Leaving takes " +
  "no vote back: a vote can be withdrawn only on the voting page, for ten seconds, and only where " +
  "no names were shown after it.";

/**
 * An element with text or children. Text is never parsed as HTML.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {...(string | Node)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
function make(name, ...children) {
  const element = document.createElement(name);
  element.append(...children);
  return element;
}

/** @param {OwnVote} vote */
export function voteCells(vote) {
  return [
    `#${vote.vote_id}`,
    `${vote.cast_at.slice(0, 19).replace("T", " ")} UTC`,
    vote.track,
    vote.prompt,
    CHOICES[vote.choice],
    vote.models ? `${vote.models[0]} · ${vote.models[1]}` : "hidden",
    vote.hold ? `held: ${vote.hold.reason}` : (STATUSES[vote.status] ?? vote.status),
    vote.receipt,
  ];
}

/** @param {OwnVote} vote */
function row(vote) {
  const cells = voteCells(vote).map((text, column) => {
    const cell = make("td", text);
    cell.dataset.label = HEADINGS[column];
    return cell;
  });
  const receipt = make("a", vote.receipt);
  receipt.href = `${BASE_URL.pathname}api/v1/receipts/${encodeURIComponent(vote.receipt)}`;
  cells[cells.length - 1]?.replaceChildren(receipt);
  const line = make("tr", ...cells);
  line.dataset.vote = String(vote.vote_id);
  return line;
}

class OwnVotes {
  #api = new Api();
  /** @type {number | null} */
  #before = null;
  #body = make("tbody");
  #more = make("button", "Show earlier votes");
  #status = make("p");
  #leave = make("button", "Leave and delete my voter");

  /** @param {HTMLElement} root */
  constructor(root) {
    const table = make("table", make("thead", make("tr", ...HEADINGS.map((h) => make("th", h)))));
    table.append(this.#body);
    const scroll = make("div", table);
    scroll.className = "own-votes-table";
    scroll.tabIndex = 0;
    const download = make("a", "Download all that is stored of you (JSON)");
    download.href = `${BASE_URL.pathname}api/v1/me/data`;
    download.download = "arena-my-data.json";
    download.className = "own-votes-link";
    this.#more.className = this.#leave.className = "own-votes-button";
    this.#status.setAttribute("role", "status");
    this.#more.hidden = true;
    this.#more.onclick = () => this.#show();
    this.#leave.onclick = () => this.#askToLeave();
    const styles = make("style", STYLES);
    root.replaceChildren(
      styles,
      make("h1", "Your votes"),
      make("p", "The votes of this browser, latest first."),
      this.#status,
      scroll,
      this.#more,
      make("p", download),
      make("h2", "Leave"),
      make("p", RULE),
      this.#leave,
    );
    this.#show();
  }

  async #show() {
    try {
      const { votes, before } = await this.#api.listVotes(this.#before);
      this.#body.append(...votes.map(row));
      this.#before = before;
      this.#more.hidden = before === null;
      const isEmpty = this.#body.childElementCount === 0;
      this.#status.textContent = isEmpty ? "This browser has not voted yet." : "";
      this.#leave.disabled = isEmpty;
    } catch (error) {
      this.#showError(error);
    }
  }

  async #askToLeave() {
    if (!globalThis.confirm(`${RULE}\n\nLeave now?`)) return;
    try {
      const { votes } = await this.#api.leave();
      this.#body.replaceChildren();
      this.#before = null;
      this.#more.hidden = true;
      this.#leave.disabled = true;
      this.#status.textContent =
        `Done: ${votes === 1 ? "1 vote or skip stays" : `${votes} votes and skips stay`}, ` +
        "without a voter. This browser is a new voter now.";
    } catch (error) {
      this.#showError(error);
    }
  }

  /** @param {unknown} error */
  #showError(error) {
    if (!(error instanceof ApiError)) throw error;
    this.#status.textContent = `${error.message} Reload the page to try again.`;
  }
}

const STYLES = `
  .own-votes-table {
    overflow-x: auto; margin: 1rem 0;
    --paper: var(--st-background-color, Canvas);
    --edge: color-mix(in srgb, currentColor 32%, transparent), transparent;
    background:
      linear-gradient(to right, var(--paper) 35%, transparent) left / 56px 100% no-repeat local,
      linear-gradient(to left, var(--paper) 35%, transparent) right / 56px 100% no-repeat local,
      linear-gradient(to right, var(--edge)) left / 18px 100% no-repeat scroll,
      linear-gradient(to left, var(--edge)) right / 18px 100% no-repeat scroll;
  }
  .own-votes-table table { border-collapse: collapse; font-size: 0.875rem; width: 100% }
  .own-votes-table th, .own-votes-table td {
    text-align: left; vertical-align: top; padding: 0.4rem 0.7rem 0.4rem 0;
    border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent);
  }
  .own-votes-table a, .own-votes-link { color: var(--st-link-color, inherit) }
  .own-votes-button {
    padding: 0.5rem 1.2rem; border: 1px solid currentColor; border-radius: 99px;
    background: none; color: inherit; font: inherit; cursor: pointer;
    &:disabled { opacity: 0.5; cursor: default }
  }
  .own-votes-table td:nth-child(-n + 2) { white-space: nowrap }
  .own-votes-table td:nth-child(4) { min-width: 14rem; overflow-wrap: anywhere }
  @media (max-width: 640px) {
    .own-votes-table thead { position: absolute; clip-path: inset(50%) }
    .own-votes-table tbody, .own-votes-table tr, .own-votes-table td { display: block }
    .own-votes-table tr { padding: 0.6rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent) }
    .own-votes-table td { border: 0; padding: 0.1rem 0; overflow-wrap: anywhere }
    .own-votes-table td::before { content: attr(data-label) ": "; opacity: 0.7 }
  }
`;

/**
 * Show the page in an element.
 * @param {HTMLElement} root
 */
export function mount(root) {
  new OwnVotes(root);
}
