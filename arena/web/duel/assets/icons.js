// @ts-check
// Icons of the vote page, as inline SVG.

/** @param {string} paths */
const icon = (paths) =>
  `<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" ` +
  `stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">${paths}</svg>`;

const SPEAKER = '<path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z"/>';

export const ICONS = {
  muted: icon(`${SPEAKER}<path d="m16 9.5 5 5m0-5-5 5"/>`),
  audible: icon(`${SPEAKER}<path d="M15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"/>`),
  pause: icon('<path d="M9 6v12M15 6v12"/>'),
  play: icon('<path d="M8 5.5v13l10.5-6.5z"/>'),
  replay: icon('<path d="M5 12a7 7 0 1 0 2.2-5.1L5 9"/><path d="M5 4.5V9h4.5"/>'),
  skip: icon('<path d="M5 6v12l8.5-6zM18 6v12"/>'),
  fullscreen: icon('<path d="M4 9V5h4M20 9V5h-4M4 15v4h4M20 15v4h-4"/>'),
  exitFullscreen: icon('<path d="M8 5v4H4M16 5v4h4M8 19v-4H4M16 19v-4h4"/>'),
  check: icon('<path d="m5 12.5 4.5 4.5L19 7.5"/>'),
  eye: icon(
    '<path d="M3 12s3.4-6 9-6 9 6 9 6-3.4 6-9 6-9-6-9-6z"/><circle cx="12" cy="12" r="2.6"/>',
  ),
  ear: icon(
    '<path d="M7 9.5a5 5 0 1 1 9.6 2c-.9 2-2.9 2.6-3.1 4.8-.2 2.4-3.4 3-4.6 1"/>' +
      '<path d="M10 10a2 2 0 1 1 3.6 1.2"/>',
  ),
  mark:
    '<svg viewBox="0 0 44 26" aria-hidden="true" fill="none" stroke="currentColor" ' +
    'stroke-width="3.4"><rect x="2" y="2" width="40" height="22" rx="11"/>' +
    '<path d="M15 13h14" stroke-linecap="round"/></svg>',
};
