// @ts-check
// Fits the page into the window: the clips side by side, stacked, or one at a time to swipe, and the
// prompt above or beside them, whichever shows the clips larger. The result depends on the window and
// the track only, so no clip changes its size from pair to pair.

/** @typedef {"beside" | "stacked" | "swipe"} Arrangement */
/** @typedef {"top" | "aside"} PromptPlace */

/**
 * Sizes of the parts around the clips, in CSS pixels.
 * @typedef {object} Metrics
 * @property {number} toolbar height
 * @property {number} votes height of the vote buttons
 * @property {number} footer height of the line below them
 * @property {number} caption height, below each clip
 * @property {number} prompt least height of the prompt above the clips
 * @property {number} gap between parts
 * @property {number} margin between the window's edge and its content
 */

/**
 * @typedef {object} Layout
 * @property {Arrangement} arrangement
 * @property {PromptPlace} promptPlace
 * @property {number} frameWidth of a clip
 * @property {number} frameHeight
 * @property {number} briefWidth of the prompt and the source together
 * @property {number} briefHeight
 * @property {number} sourceWidth of the first image or source video; 0 where the track has none
 * @property {number} sourceHeight
 */

const COMPACT_WIDTH_PX = 640;
const COMPACT_HEIGHT_PX = 520;
const STACK_GAIN = 1.15; // side by side compares better, so stack only where it is clearly larger
const ASIDE_GAIN = 1.2; // a prompt above the clips reads better than one in a narrow column
const SWIPE_BELOW_PX = 300; // in narrow windows one clip at a time, rather than two this small
const MIN_FRAME_PX = 120; // in smaller windows the page scrolls instead
const ASIDE_PX = { least: 250, most: 420 };
const PROMPT_SHARE = 0.14; // of the height, at most, for a prompt without a source
const SOURCE_SHARE = 0.22; // of the height, at least, for the source
const SOURCE_SHARE_MOST = 0.45;
const ASIDE_PROMPT_PX = 120; // kept for the prompt below a source beside the clips
const SOURCE_WIDTH_SHARE = 0.45; // of the width, at most, for a source beside its prompt
const SOURCE_CAPTION_PX = 22;
const BARE_SOURCE_PX = 90; // a source in a lower brief has no caption
const SMALLEST_SOURCE_PX = 44; // it is pressed to see it larger
const LABELLED_PROMPT_PX = 58; // a lower prompt has no line for its label

/** @type {Readonly<Record<"roomy" | "compact" | "fullscreen", Metrics>>} */
const METRICS = {
  roomy: { toolbar: 44, votes: 52, footer: 36, caption: 32, prompt: 66, gap: 8, margin: 8 },
  compact: { toolbar: 40, votes: 46, footer: 32, caption: 26, prompt: 40, gap: 4, margin: 5 },
  fullscreen: { toolbar: 0, votes: 40, footer: 0, caption: 26, prompt: 30, gap: 4, margin: 4 },
};

/**
 * @param {{width: number, height: number, fullscreen: boolean}} window
 * @returns {Metrics}
 */
export function chooseMetrics({ width, height, fullscreen }) {
  if (fullscreen) return METRICS.fullscreen;
  const compact = width < COMPACT_WIDTH_PX || height < COMPACT_HEIGHT_PX;
  return compact ? METRICS.compact : METRICS.roomy;
}

/**
 * @param {Arrangement} arrangement
 * @param {{width: number, height: number}} space for both clips and their captions
 * @param {number} aspect
 * @param {Metrics} metrics
 * @returns {number} width of a clip
 */
function frameWidth(arrangement, { width, height }, aspect, { gap, caption }) {
  const columns = arrangement === "beside" ? 2 : 1;
  const rows = arrangement === "stacked" ? 2 : 1;
  const widest = (width - (columns - 1) * gap) / columns;
  const highest = (height - (rows - 1) * gap) / rows - caption;
  return Math.max(0, Math.min(widest, highest * aspect));
}

/**
 * The best arrangement in a space: swiping only where both clips do not fit in a useful size.
 * @param {{width: number, height: number}} space
 * @param {number} aspect
 * @param {Metrics} metrics
 * @param {boolean} canSwipe
 * @returns {{arrangement: Arrangement, width: number}}
 */
function arrange(space, aspect, metrics, canSwipe) {
  const beside = frameWidth("beside", space, aspect, metrics);
  const stacked = frameWidth("stacked", space, aspect, metrics);
  const best = stacked > beside * STACK_GAIN ? "stacked" : "beside";
  const width = Math.max(best === "stacked" ? stacked : 0, best === "beside" ? beside : 0);
  if (canSwipe && width < SWIPE_BELOW_PX) {
    const swipe = frameWidth("swipe", space, aspect, metrics);
    if (swipe > width) return { arrangement: "swipe", width: swipe };
  }
  return { arrangement: best, width };
}

/**
 * The sizes of all parts, in whole CSS pixels.
 * @param {object} given
 * @param {number} given.width of the window
 * @param {number} given.height of the window
 * @param {number} given.aspect width / height of a clip
 * @param {boolean} given.hasSource whether the prompts have a first image or source video
 * @param {boolean} [given.fullscreen]
 * @returns {Layout}
 */
export function chooseLayout({ width, height, aspect, hasSource, fullscreen = false }) {
  const metrics = chooseMetrics({ width, height, fullscreen });
  const { toolbar, votes, footer, gap, margin, caption } = metrics;
  const bars = toolbar + votes + footer + (footer ? gap : 0);
  const inner = { width: width - 2 * margin, height: height - bars - 2 * gap };

  const canSwipe = width < COMPACT_WIDTH_PX;
  let leastBrief = hasSource
    ? Math.max(metrics.prompt, SOURCE_SHARE * inner.height)
    : metrics.prompt;
  if (canSwipe) {
    // The source gives way to tall clips: unlike them, it can be shown larger by pressing it.
    const besideClip = inner.height - gap - caption - Math.ceil(SWIPE_BELOW_PX / aspect);
    leastBrief = Math.max(metrics.prompt, Math.min(leastBrief, besideClip));
  }
  const top = arrange(
    { width: inner.width, height: inner.height - leastBrief - gap },
    aspect,
    metrics,
    canSwipe,
  );
  const besideBrief = { width: inner.width - ASIDE_PX.least - 2 * gap, height: inner.height };
  const aside = frameWidth("beside", besideBrief, aspect, metrics);
  const isAside = width > height && aside ** 2 > top.width ** 2 * (hasSource ? 1 : ASIDE_GAIN);
  const arrangement = isAside ? "beside" : top.arrangement;
  const chosen = isAside ? aside : top.width;
  const frame = Math.floor(Math.max(chosen, MIN_FRAME_PX * Math.min(1, aspect)));
  const frameHeight = Math.floor(frame / aspect);

  const columns = arrangement === "beside" ? 2 : 1;
  const rows = arrangement === "stacked" ? 2 : 1;
  const pair = {
    width: columns * frame + (columns - 1) * gap,
    height: rows * (frameHeight + caption) + (rows - 1) * gap,
  };
  const briefSpace = isAside
    ? {
        width: Math.min(ASIDE_PX.most, inner.width - pair.width - 2 * gap),
        height: pair.height,
      }
    : {
        width: Math.max(pair.width, Math.min(inner.width, 720)),
        height: inner.height - pair.height - gap,
      };
  const given = { aspect, isAside, hasSource, fullscreen, frameHeight, leastBrief };
  return {
    arrangement,
    promptPlace: isAside ? "aside" : "top",
    frameWidth: frame,
    frameHeight,
    ...fitBrief(briefSpace, { ...given, innerHeight: inner.height }),
  };
}

/**
 * The sizes of the prompt and the source in the space that the clips leave.
 * @param {{width: number, height: number}} space
 * @param {{aspect: number, isAside: boolean, hasSource: boolean, fullscreen: boolean,
 *   frameHeight: number, leastBrief: number, innerHeight: number}} given
 * @returns {Pick<Layout, "briefWidth" | "briefHeight" | "sourceWidth" | "sourceHeight">}
 */
function fitBrief(
  space,
  { aspect, isAside, hasSource, fullscreen, frameHeight, leastBrief, innerHeight },
) {
  const briefWidth = Math.floor(space.width);
  const share = hasSource ? SOURCE_SHARE_MOST : PROMPT_SHARE;
  const most = fullscreen && !hasSource ? 0 : share * innerHeight;
  const briefHeight = Math.floor(
    isAside ? space.height : Math.max(leastBrief, Math.min(space.height, most)),
  );
  if (!hasSource) return { briefWidth, briefHeight, sourceWidth: 0, sourceHeight: 0 };
  const caption = briefHeight < BARE_SOURCE_PX ? 0 : SOURCE_CAPTION_PX;
  const source = fitSource({ isAside, briefWidth, briefHeight, aspect, frameHeight, caption });
  const needed = Math.floor(Math.max(leastBrief, source.height + caption));
  return {
    briefWidth,
    briefHeight: isAside ? briefHeight : needed,
    sourceWidth: source.width,
    sourceHeight: source.height,
  };
}

/**
 * @param {{isAside: boolean, briefWidth: number, briefHeight: number, aspect: number,
 *   frameHeight: number, caption: number}} space
 */
function fitSource({ isAside, briefWidth, briefHeight, aspect, frameHeight, caption }) {
  const widest = isAside ? briefWidth : briefWidth * SOURCE_WIDTH_SHARE;
  const highest = Math.min(briefHeight - caption - (isAside ? ASIDE_PROMPT_PX : 0), frameHeight);
  const width = Math.floor(Math.max(0, Math.min(widest, highest * aspect)));
  const height = Math.floor(width / aspect);
  return { width: caption ? width : Math.max(width, SMALLEST_SOURCE_PX), height };
}

/**
 * Keep the page fitted to the window until `signal` aborts.
 * @param {HTMLElement} root
 * @param {{aspect: () => number, hasSource: () => boolean, fullscreen: () => boolean,
 *   onFit: () => void, signal: AbortSignal}} options
 * @returns {() => void} fits the page now
 */
export function keepFitted(root, { aspect, hasSource, fullscreen, onFit, signal }) {
  let applied = "";
  const fit = () => {
    const { innerWidth: width, innerHeight: height } = window;
    const given = {
      ...{ width, height, aspect: aspect(), hasSource: hasSource() },
      fullscreen: fullscreen(),
    };
    const next = JSON.stringify(given);
    if (next === applied) return;
    applied = next;
    apply(root, chooseLayout(given), chooseMetrics(given));
    onFit();
  };
  window.addEventListener("resize", fit, { signal });
  return fit;
}

/** @param {HTMLElement} root @param {Layout} layout @param {Metrics} metrics */
function apply(root, { arrangement, promptPlace, ...sizes }, metrics) {
  root.dataset.layout = arrangement;
  root.dataset.prompt = promptPlace;
  root.classList.toggle("compact", metrics === METRICS.compact);
  const hasLabel = sizes.briefHeight >= LABELLED_PROMPT_PX;
  root.classList.toggle("bare-source", sizes.briefHeight < BARE_SOURCE_PX);
  root.classList.toggle("unlabelled", metrics !== METRICS.roomy && !hasLabel);
  for (const [name, px] of Object.entries({ ...sizes, ...metrics })) {
    root.style.setProperty(
      `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      `${px}px`,
    );
  }
}
