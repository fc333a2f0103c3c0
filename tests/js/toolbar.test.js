// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { otherTracks } from "../../arena/web/duel/assets/navigation.js";
import { trackFor } from "../../arena/web/duel/assets/toolbar.js";

/** @import { Track } from "../../arena/web/duel/assets/api.js" */

/** @param {string} name @param {string} modality @returns {Track} */
const track = (name, modality) => ({
  name,
  modality,
  label: name,
  audio: name.endsWith("-audio"),
  width: 16,
  height: 9,
  active: true,
});
const TEXT = track("text", "text-to-video");
const PORTRAIT = track("portrait", "text-to-video");
const TEXT_AUDIO = track("text-audio", "text-to-video");
const EDIT = track("edit", "video-edit");
const TRACKS = [TEXT, PORTRAIT, TEXT_AUDIO, EDIT];

test("a change on one axis keeps the other where such a track exists", () => {
  assert.equal(trackFor(TRACKS, { modality: "text-to-video", audio: true }, TEXT), TEXT_AUDIO);
  assert.equal(trackFor(TRACKS, { modality: "video-edit", audio: true }, TEXT_AUDIO), EDIT);
  assert.equal(trackFor(TRACKS, { modality: "text-to-video", audio: false }, EDIT), TEXT);
});

test("the selected track stays selected on its own axes", () => {
  assert.equal(trackFor(TRACKS, { modality: "text-to-video", audio: false }, PORTRAIT), PORTRAIT);
});

test("at the end of a track, only tracks that may have pairs are offered", () => {
  const created = /** @type {any} */ (globalThis);
  created.document = { createElement: () => ({ dataset: {} }) };
  const offered = otherTracks(TRACKS, TEXT, new Set(["portrait"]));
  assert.deepEqual(
    offered.map(({ dataset }) => dataset.track),
    ["text-audio", "edit"],
  );
  delete created.document;
});
