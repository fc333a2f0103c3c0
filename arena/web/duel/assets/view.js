// What the duel looks like: one template, and small setters. Texts go in as text, never as HTML.

const icon = (paths) =>
  `<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" ` +
  `stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">${paths}</svg>`;
const ICONS = {
  silent: icon('<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z"/><path d="m16 9.5 5 5m0-5-5 5"/>'),
  sounding: icon(
    '<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z"/>' +
      '<path d="M15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"/>',
  ),
  pause: icon('<path d="M9 6v12M15 6v12"/>'),
  play: icon('<path d="M8 5.5v13l10.5-6.5z"/>'),
  replay: icon('<path d="M5 12a7 7 0 1 0 2.2-5.1L5 9"/><path d="M5 4.5V9h4.5"/>'),
  skip: icon('<path d="M5 6v12l8.5-6zM18 6v12"/>'),
  theatre: icon('<path d="M4 9V5h4M20 9V5h-4M4 15v4h4M20 15v4h-4"/>'),
  keys: icon('<rect x="3" y="7" width="18" height="11" rx="2"/><path d="M7 11h.01M11 11h.01M15 11h.01M8 14.5h8"/>'),
  linger: icon('<path d="M4 12s3-5.5 8-5.5 8 5.5 8 5.5-3 5.5-8 5.5S4 12 4 12z"/><circle cx="12" cy="12" r="2.4"/>'),
  check: icon('<path d="m5 12.5 4.5 4.5L19 7.5"/>'),
};

const CHOICES = [
  ["a", "A is better", "←", "ArrowLeft"],
  ["tie", "About equal", "↑", "ArrowUp"],
  ["bad", "Both bad", "↓", "ArrowDown"],
  ["b", "B is better", "→", "ArrowRight"],
];

const VIDEO =
  '<video playsinline disablepictureinpicture disableremoteplayback preload="auto" tabindex="-1" ' +
  'controlslist="nodownload noremoteplayback nofullscreen"></video>';

const side = (name) => `
  <figure class="side" data-side="${name}">
    <div class="frame">
      ${VIDEO}${VIDEO}
      <div class="loader" aria-hidden="true"></div>
    </div>
    <div class="seen" role="progressbar" aria-label="Clip ${name.toUpperCase()} watched"
         aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><i></i></div>
    <figcaption class="plate">
      <b class="letter">${name.toUpperCase()}</b>
      <span class="who" data-reveal="${name}"></span>
      <span class="watched" aria-hidden="true">${ICONS.check}</span>
      <button type="button" class="sound" data-sound="${name}" hidden>
        <span class="ico"></span><span class="say"></span>
      </button>
    </figcaption>
  </figure>`;

const tool = (act, label, name, { toggle = false, key = "" } = {}) =>
  `<button type="button" class="tool" data-act="${act}" title="${label}${key && ` (${key})`}"` +
  `${toggle ? ' aria-pressed="true"' : ""}${key ? ` aria-keyshortcuts="${key}"` : ""}>` +
  `<span class="ico">${ICONS[name]}</span><span class="say">${label}</span></button>`;

const TEMPLATE = `
  <div class="bar">
    <div class="tracks" role="group" aria-label="Track"></div>
    <div class="tools">
      <span class="count"><b>0</b> <span></span></span>
      ${tool("keys", "Keys", "keys", { toggle: true })}
      ${tool("linger", "Pause on names", "linger", { toggle: true })}
      ${tool("theatre", "Theatre", "theatre", { key: "F" })}
    </div>
  </div>
  <div class="ask"><span class="eyebrow">Prompt</span><h1 class="prompt"></h1></div>
  <div class="stage">
    ${side("a")}${side("b")}
    <button type="button" class="begin" data-act="begin" hidden>
      <span class="ico">${ICONS.sounding}</span><span class="say"></span>
    </button>
    <div class="message" role="alert" hidden>
      <h2></h2><p></p><button type="button" class="retry" data-act="retry"></button>
    </div>
  </div>
  <div class="votes" role="group" aria-label="Your vote">
    ${CHOICES.map(
      ([choice, label, arrow, key]) =>
        `<button type="button" class="vote" data-choice="${choice}" aria-keyshortcuts="${key}" ` +
        `disabled><span>${label}</span><kbd>${arrow}</kbd></button>`,
    ).join("")}
  </div>
  <div class="foot">
    <p class="status"></p>
    <div class="playback">
      ${tool("pause", "Pause", "pause", { key: "Space" })}
      ${tool("replay", "Replay", "replay", { key: "R" })}
      ${tool("skip", "Skip", "skip", { key: "X" })}
    </div>
    <p class="last" hidden></p>
  </div>
  <div class="live" aria-live="polite"></div>`;

const element = (tag, className, text) => {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
};

export class View {
  #seen = { a: -1, b: -1 };

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

  find(selector) {
    return this.root.querySelector(selector);
  }

  all(selector) {
    return [...this.root.querySelectorAll(selector)];
  }

  /** The two videos of one of the two decks. */
  videos(deck) {
    const of = (name) => this.all(`[data-side=${name}] video`)[deck];
    return { a: of("a"), b: of("b") };
  }

  setFront(deck) {
    for (const name of ["a", "b"]) {
      this.all(`[data-side=${name}] video`).forEach((video, index) => {
        const shown = index === deck;
        video.classList.toggle("front", shown);
        video.toggleAttribute("aria-hidden", !shown);
        video.setAttribute("aria-label", shown ? `Clip ${name.toUpperCase()}` : "");
      });
    }
  }

  setPhase(phase) {
    this.root.dataset.phase = phase;
    const votable = phase === "ready";
    for (const button of this.all(".vote")) button.disabled = !votable;
    const skippable = ["preview", "watching", "ready"].includes(phase);
    for (const act of ["skip", "pause", "replay"]) {
      this.find(`[data-act=${act}]`).disabled = !skippable;
    }
  }

  setTracks(tracks, chosen) {
    const group = this.find(".tracks");
    group.replaceChildren(
      ...tracks.map((track) => {
        const button = element("button", "track", track.label);
        button.type = "button";
        button.dataset.track = track.name;
        button.setAttribute("aria-pressed", String(track.name === chosen));
        return button;
      }),
    );
    group.hidden = tracks.length < 2;
  }

  setBattle(battle) {
    this.find(".prompt").textContent = battle?.prompt.text ?? "";
    this.root.dataset.battle = battle ? "yes" : "no";
    this.setSeen("a", 0);
    this.setSeen("b", 0);
    this.setChoice(null);
    for (const name of ["a", "b"]) {
      const who = this.find(`[data-reveal=${name}]`);
      who.replaceChildren(element("span", "hint", "Name after your vote"));
      who.classList.remove("known");
    }
  }

  setSeen(name, share) {
    const percent = Math.floor(share * 100);
    const box = this.find(`[data-side=${name}]`);
    box.style.setProperty("--seen", share.toFixed(3));
    if (percent === this.#seen[name]) return;
    this.#seen[name] = percent;
    this.find(`[data-side=${name}] .seen`).setAttribute("aria-valuenow", String(percent));
    box.classList.toggle("whole", percent >= 100);
  }

  /** `audible` is a side, null for none yet, or undefined in a silent track. */
  setSound(audible) {
    for (const name of ["a", "b"]) {
      const chip = this.find(`[data-sound=${name}]`);
      const on = audible === name;
      chip.hidden = audible === undefined;
      chip.setAttribute("aria-pressed", String(on));
      chip.setAttribute("aria-label", `Listen to ${name.toUpperCase()}`);
      chip.title = "Switch the sound (S)";
      chip.querySelector(".ico").innerHTML = on ? ICONS.sounding : ICONS.silent;
      chip.querySelector(".say").textContent = on ? "Sound on" : "Listen";
      this.find(`[data-side=${name}]`).classList.toggle("sounding", on);
    }
  }

  setPaused(paused) {
    const button = this.find("[data-act=pause]");
    button.querySelector(".ico").innerHTML = paused ? ICONS.play : ICONS.pause;
    button.querySelector(".say").textContent = paused ? "Play" : "Pause";
  }

  setBegin(text) {
    const button = this.find(".begin");
    button.hidden = !text;
    button.querySelector(".say").textContent = text ?? "";
  }

  setChoice(choice) {
    for (const button of this.all(".vote")) {
      button.classList.toggle("chosen", button.dataset.choice === choice);
    }
    for (const name of ["a", "b"]) {
      this.find(`[data-side=${name}]`).classList.toggle("won", name === choice);
    }
  }

  setStatus(text, tone = "") {
    const status = this.find(".status");
    status.textContent = text;
    status.dataset.tone = tone;
  }

  setMessage(message) {
    const box = this.find(".message");
    box.hidden = !message;
    this.root.classList.toggle("covered", Boolean(message));
    if (!message) return;
    box.querySelector("h2").textContent = message.title;
    box.querySelector("p").textContent = message.text;
    const retry = box.querySelector(".retry");
    retry.textContent = message.action ?? "";
    retry.hidden = !message.action;
  }

  setCount(votes) {
    this.find(".count b").textContent = String(votes);
    this.find(".count span").textContent = votes === 1 ? "vote this session" : "votes this session";
  }

  setToggle(act, on) {
    this.find(`[data-act=${act}]`).setAttribute("aria-pressed", String(on));
  }

  /** The names, each under its own frame. */
  setNames(reveal) {
    for (const name of ["a", "b"]) {
      const { name: model, creator, rating } = reveal[name];
      const who = this.find(`[data-reveal=${name}]`);
      const details = [creator, rating === null ? null : `Elo ${Math.round(rating)}`];
      who.replaceChildren(
        element("b", "model", model),
        element("span", "more", details.filter(Boolean).join(" · ")),
      );
      who.classList.add("known");
    }
  }

  setLast({ reveal, choice, receipt }) {
    const last = this.find(".last");
    const verdict = { a: "A won", b: "B won", tie: "equal", bad: "both bad" }[choice];
    const name = (of) => {
      const node = element("b", "", reveal[of].name);
      const rating = reveal[of].rating;
      return rating === null ? [node] : [node, element("span", "", ` ${Math.round(rating)}`)];
    };
    last.replaceChildren(
      "Last pair: A was ", ...name("a"), ", B was ", ...name("b"), ` · ${verdict}`,
    );
    last.title = `Receipt ${receipt}`;
    last.hidden = false;
  }

  say(text) {
    this.find(".live").textContent = text;
  }
}
