// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { chooseLayout, chooseMetrics } from "../../arena/web/duel/assets/layout.js";

const WINDOWS = /** @type {const} */ ([
  [1366, 768],
  [1920, 1080],
  [1280, 800],
  [768, 1024],
  [360, 740],
  [412, 915],
  [740, 360],
]);
const ASPECTS = [16 / 9, 1, 9 / 16, 4 / 3];
const LAPTOP = { width: 1366, height: 768 };
const DESKTOP = { width: 1920, height: 1080 };
const PHONE = { width: 360, height: 740 };

/** @param {import("../../arena/web/duel/assets/layout.js").Layout} layout */
const pairArea = ({ frameWidth, frameHeight }) => 2 * frameWidth * frameHeight;

test("both 16:9 clips cover 45% of a laptop's window and 40% of a large one, with and without source", () => {
  for (const hasSource of [false, true]) {
    for (const [window, share] of /** @type {const} */ ([
      [LAPTOP, 0.45],
      [DESKTOP, 0.4],
    ])) {
      const layout = chooseLayout({ ...window, aspect: 16 / 9, hasSource });
      assert.equal(layout.arrangement, "beside");
      assert.ok(pairArea(layout) >= share * window.width * window.height, JSON.stringify(layout));
    }
  }
});

test("a clip is at least 300 pixels wide on a phone: stacked, or one at a time to swipe", () => {
  for (const [aspect, hasSource, arrangement] of /** @type {const} */ ([
    [16 / 9, false, "stacked"],
    [16 / 9, true, "stacked"],
    [1, false, "swipe"],
    [1, true, "swipe"],
    [9 / 16, false, "swipe"],
    [9 / 16, true, "swipe"],
  ])) {
    const layout = chooseLayout({ ...PHONE, aspect, hasSource });
    assert.equal(layout.arrangement, arrangement);
    assert.ok(layout.frameWidth >= 300, JSON.stringify(layout));
  }
});

test("everything fits into the window", () => {
  for (const [width, height] of WINDOWS) {
    for (const aspect of ASPECTS) {
      for (const hasSource of [false, true]) {
        for (const fullscreen of [false, true]) {
          const given = { width, height, aspect, hasSource, fullscreen };
          assert.deepEqual(overflow(given), [], JSON.stringify([given, chooseLayout(given)]));
        }
      }
    }
  }
});

/** @param {Parameters<typeof chooseLayout>[0]} given @returns {string[]} what does not fit */
function overflow(given) {
  const { toolbar, votes, footer, gap, margin, caption } = chooseMetrics({
    ...given,
    fullscreen: Boolean(given.fullscreen),
  });
  const layout = chooseLayout(given);
  const columns = layout.arrangement === "beside" ? 2 : 1;
  const rows = layout.arrangement === "stacked" ? 2 : 1;
  const isAside = layout.promptPlace === "aside";
  const pair = {
    width: columns * layout.frameWidth + (columns - 1) * gap,
    height: rows * (layout.frameHeight + caption) + (rows - 1) * gap,
  };
  const width = pair.width + (isAside ? layout.briefWidth + 2 * gap : 0) + 2 * margin;
  const height =
    (isAside ? pair.height : pair.height + layout.briefHeight + gap) +
    toolbar +
    votes +
    footer +
    gap;
  return [
    ...(width > given.width ? [`${width} px wide`] : []),
    ...(height > given.height ? [`${height} px high`] : []),
    ...(layout.sourceHeight > layout.briefHeight ? ["source"] : []),
    ...(layout.briefWidth > given.width ? ["prompt"] : []),
  ];
}

test("full screen never makes a clip smaller", () => {
  for (const [width, height] of WINDOWS) {
    for (const aspect of ASPECTS) {
      for (const hasSource of [false, true]) {
        const given = { width, height, aspect, hasSource };
        const normal = chooseLayout(given);
        const full = chooseLayout({ ...given, fullscreen: true });
        if (full.arrangement === "stacked" && normal.arrangement === "swipe") continue;
        assert.ok(full.frameWidth >= normal.frameWidth, JSON.stringify([given, normal, full]));
      }
    }
  }
});

test("a portrait pair has its prompt beside it, where there is space", () => {
  const layout = chooseLayout({ ...LAPTOP, aspect: 9 / 16, hasSource: false });
  assert.deepEqual([layout.promptPlace, layout.arrangement], ["aside", "beside"]);
});
