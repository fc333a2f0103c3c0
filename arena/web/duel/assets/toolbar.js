// @ts-check
// The choice of a track, as two axes: what the models were given, and with or without sound.

import { ICONS } from "./icons.js";

/** @import { Track } from "./api.js" */

/** @type {Readonly<Record<string, {short: string, long: string}>>} */
const MODALITIES = {
  "text-to-video": { short: "Text", long: "Text to video" },
  "image-to-video": { short: "Image", long: "Image to video" },
  "video-edit": { short: "Edit", long: "Video edit" },
};

/**
 * The track to open for a modality and sound: the selected one where it fits, else the first that
 * has both, else the first of the modality.
 * @param {Track[]} tracks
 * @param {{modality: string, audio: boolean}} wanted
 * @param {Track | undefined} [selected]
 * @returns {Track | undefined}
 */
export function trackFor(tracks, { modality, audio }, selected) {
  const ofModality = tracks.filter((track) => track.modality === modality);
  const matching = ofModality.filter((track) => track.audio === audio);
  if (selected && matching.includes(selected)) return selected;
  return matching[0] ?? ofModality[0];
}

/**
 * @param {string} text
 * @param {string} label
 * @param {{track: Track | undefined, pressed: boolean, icon?: string}} state
 */
function axisButton(text, label, { track, pressed, icon = "" }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "track";
  const words = document.createElement("span");
  words.textContent = text;
  button.innerHTML = icon;
  button.append(words);
  button.title = label;
  button.setAttribute("aria-label", label);
  button.setAttribute("aria-pressed", String(pressed));
  if (track) button.dataset.track = track.name;
  return button;
}

/**
 * Show all tracks in one list, which replaces the axes in narrow windows.
 * @param {HTMLSelectElement} menu
 * @param {Track[]} tracks
 * @param {Track} selected
 */
function showMenu(menu, tracks, selected) {
  menu.hidden = tracks.length < 2;
  menu.replaceChildren(
    ...tracks.map((track) => {
      const { modality, audio } = track;
      const isOnly =
        tracks.filter((other) => other.modality === modality && other.audio === audio).length === 1;
      const short = `${MODALITIES[modality]?.short ?? modality}${audio ? " + sound" : ""}`;
      return new Option(isOnly ? short : track.label, track.name, false, track === selected);
    }),
  );
}

/**
 * Show the tracks in the toolbar. An axis with one value is left out, and a list names the tracks
 * that share both values.
 * @param {HTMLElement} root
 * @param {Track[]} tracks
 * @param {string} selectedName
 */
export function showTracks(root, tracks, selectedName) {
  const [modalityAxis, audioAxis] = [".modality", ".audio"].map(
    (selector) => /** @type {HTMLElement} */ (root.querySelector(selector)),
  );
  const list = /** @type {HTMLSelectElement} */ (root.querySelector(".track-list"));
  const selected = tracks.find(({ name }) => name === selectedName);
  if (!selected) return;
  const { modality, audio } = selected;

  const modalities = [...new Set(tracks.map((track) => track.modality))];
  modalityAxis.hidden = modalities.length < 2;
  modalityAxis.replaceChildren(
    ...modalities.map((value) => {
      const { short, long } = MODALITIES[value] ?? { short: value, long: value };
      const track = trackFor(tracks, { modality: value, audio }, selected);
      return axisButton(short, long, { track, pressed: value === modality });
    }),
  );

  const ofModality = tracks.filter((track) => track.modality === modality);
  audioAxis.hidden = new Set(ofModality.map((track) => track.audio)).size < 2;
  audioAxis.replaceChildren(
    ...[false, true].map((value) =>
      axisButton(value ? "Sound" : "Silent", value ? "With sound" : "Without sound", {
        track: trackFor(tracks, { modality, audio: value }, selected),
        pressed: value === audio,
        icon: value ? ICONS.audible : ICONS.muted,
      }),
    ),
  );

  showMenu(/** @type {HTMLSelectElement} */ (root.querySelector(".track-menu")), tracks, selected);

  const alike = ofModality.filter((track) => track.audio === audio);
  list.hidden = alike.length < 2;
  list.replaceChildren(
    ...alike.map((track) => new Option(track.label, track.name, false, track === selected)),
  );
}
