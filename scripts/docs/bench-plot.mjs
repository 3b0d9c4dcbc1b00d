// Bars as SVG, readable on light and dark ground: one group per line, one bar per contestant.
const WIDTH = 760;
const LEFT = 190;
const BAR = 16;
const GAP = 18;
const COLOURS = ['#2f7ed8', '#e0803a', '#8a8f98', '#4aa564'];
const asText = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/**
 * @param title above the bars
 * @param groups `{ name, bars: [{ name, value, text }] }`, of which the same names have the same colour
 */
export function barPlot(title, groups) {
  const names = [...new Set(groups.flatMap(({ bars }) => bars.map(({ name }) => name)))];
  const most = Math.max(...groups.flatMap(({ bars }) => bars.map(({ value }) => value)));
  let y = 62;
  const parts = groups.map(({ name, bars }) => {
    const top = y;
    const drawn = bars.map((bar) => {
      const width = Math.max(1, ((WIDTH - LEFT - 110) * bar.value) / most);
      const at = y;
      y += BAR + 3;
      return `<rect x="${LEFT}" y="${at}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${COLOURS[names.indexOf(bar.name)]}"/><text x="${(LEFT + width + 6).toFixed(1)}" y="${at + 12}">${asText(bar.text)}</text>`;
    });
    const middle = top + (y - top) / 2 + 2;
    y += GAP;
    return `<text x="${LEFT - 10}" y="${middle}" text-anchor="end">${asText(name)}</text>${drawn.join('')}`;
  });
  const legend = names.map(
    (name, index) =>
      `<rect x="${LEFT + 150 * index}" y="34" width="10" height="10" rx="2" fill="${COLOURS[index]}"/><text x="${LEFT + 150 * index + 15}" y="43">${asText(name)}</text>`,
  );
  const style =
    'text{font:12px system-ui,sans-serif;fill:#333}.t{font-weight:600;font-size:14px}@media(prefers-color-scheme:dark){text{fill:#ddd}}';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="${asText(title)}"><style>${style}</style><text class="t" x="${LEFT}" y="20">${asText(title)}</text>${legend.join('')}${parts.join('')}</svg>\n`;
}
