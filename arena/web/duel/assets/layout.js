// How large the clips can be: side by side or stacked, whichever shows more of them.

const GAP_PX = 16; // between the frames, as in the style sheet
const BOTTOM_PX = 12; // kept free under the last line
const STACK_GAIN = 1.15; // side by side compares better: stack only where it shows clearly more
const LEAST_PX = 140; // below this height the page scrolls rather than shrink the clips further

/** Keep the frames as large as the window allows until `signal` aborts; `ratio()` is width/height. */
export function fitStage(root, { ratio, signal }) {
  const stage = root.querySelector(".stage");
  const figure = root.querySelector(".side");
  const frame = root.querySelector(".frame");
  const scroller = root.closest('[data-testid="stMain"]');
  let applied = "";

  const fit = () => {
    const width = root.clientWidth;
    if (width === 0) return; // another page is shown
    const aspect = ratio();
    const around = root.offsetHeight - stage.offsetHeight;
    const under = figure.offsetHeight - frame.offsetHeight;
    const top = root.getBoundingClientRect().top + (scroller?.scrollTop ?? 0);
    const height = window.innerHeight - Math.max(0, top) - around - BOTTOM_PX;
    const beside = Math.min(height - under, (width - GAP_PX) / 2 / aspect);
    const stacked = Math.min((height - GAP_PX) / 2 - under, width / aspect);
    const layout = stacked > Math.max(beside, LEAST_PX) * STACK_GAIN ? "stacked" : "beside";
    const most = layout === "stacked" ? width / aspect : (width - GAP_PX) / 2 / aspect;
    const tall = Math.floor(
      Math.min(most, Math.max(LEAST_PX, layout === "stacked" ? stacked : beside)),
    );
    const next = `${layout} ${tall} ${aspect}`;
    if (next === applied) return;
    applied = next;
    root.dataset.layout = layout;
    root.style.setProperty("--frame-h", `${tall}px`);
    root.style.setProperty("--frame-w", `${Math.floor(tall * aspect)}px`);
  };

  const observer = new ResizeObserver(fit);
  observer.observe(root);
  signal.addEventListener("abort", () => observer.disconnect());
  window.addEventListener("resize", fit, { signal });
  document.addEventListener("fullscreenchange", fit, { signal });
  return fit;
}
