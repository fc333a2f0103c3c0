// @ts-check
// Fits the clips into the window: side by side or stacked, whichever shows them larger.

const GAP_PX = 16; // between the frames, as `--gap` in duel.css
const BOTTOM_PX = 12; // kept free below the last line
const STACK_GAIN = 1.15; // side by side compares better, so stack only where it is clearly larger
const MIN_HEIGHT_PX = 140; // below this the page scrolls instead

/**
 * The layout and the height of a frame, in whole pixels.
 * @param {object} space
 * @param {number} space.width of the stage
 * @param {number} space.height free for the stage
 * @param {number} space.captionHeight below each frame
 * @param {number} space.aspect width / height of a clip
 * @returns {{layout: "beside" | "stacked", frameHeight: number}}
 */
export function chooseLayout({ width, height, captionHeight, aspect }) {
  const widest = { beside: (width - GAP_PX) / 2 / aspect, stacked: width / aspect };
  const beside = Math.min(height - captionHeight, widest.beside);
  const stacked = Math.min((height - GAP_PX) / 2 - captionHeight, widest.stacked);
  const isStacked = stacked > Math.max(beside, MIN_HEIGHT_PX) * STACK_GAIN;
  const layout = isStacked ? "stacked" : "beside";
  const fitting = Math.max(MIN_HEIGHT_PX, isStacked ? stacked : beside);
  return { layout, frameHeight: Math.floor(Math.min(widest[layout], fitting)) };
}

/**
 * Keep the frames as large as the window allows until `signal` aborts.
 * @param {import("./view.js").View} view
 * @param {{aspect: () => number, signal: AbortSignal}} options
 * @returns {() => void} fits the stage now
 */
export function fitStage(view, { aspect, signal }) {
  const { root } = view;
  const stage = view.find(".stage");
  const figure = view.find(".side");
  const frame = view.find(".frame");
  const scroller = root.closest('[data-testid="stMain"]');
  let applied = "";

  const fit = () => {
    const width = root.clientWidth;
    if (width === 0) return; // another page is shown
    const top = root.getBoundingClientRect().top + (scroller?.scrollTop ?? 0);
    const aroundStage = root.offsetHeight - stage.offsetHeight;
    const { layout, frameHeight } = chooseLayout({
      width,
      height: window.innerHeight - Math.max(0, top) - aroundStage - BOTTOM_PX,
      captionHeight: figure.offsetHeight - frame.offsetHeight,
      aspect: aspect(),
    });
    const next = `${layout} ${frameHeight} ${aspect()}`;
    if (next === applied) return;
    applied = next;
    root.dataset.layout = layout;
    root.style.setProperty("--frame-h", `${frameHeight}px`);
    root.style.setProperty("--frame-w", `${Math.floor(frameHeight * aspect())}px`);
  };

  const observer = new ResizeObserver(fit);
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect());
  window.addEventListener("resize", fit, { signal });
  document.addEventListener("fullscreenchange", fit, { signal });
  return fit;
}
