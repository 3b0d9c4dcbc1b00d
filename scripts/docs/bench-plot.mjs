// Bars as SVG, readable on light and dark ground: one group per line, one bar per contestant, and a whisker from the least to
// the most of its rounds.
const WIDTH = 760;
const LEFT = 190;
const BAR = 16;
const GAP = 18;
/** Beside the longest bar, for its text. */
const TEXT_WIDTH = 110;
const COLOURS = ['#2f7ed8', '#e0803a', '#8a8f98', '#4aa564', '#9b6bc9', '#c94f7c'];
const LEGEND_TOP = 34;
const LEGEND_LINE = 18;
const CHARACTER = 7;
const STYLE = [
  'text{font:12px system-ui,sans-serif;fill:#333}.t{font-weight:600;font-size:14px}',
  '.w{stroke:#333;stroke-width:1.5;fill:none}',
  '@media(prefers-color-scheme:dark){text{fill:#ddd}.w{stroke:#ddd}}',
].join('');
const asText = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function colourOf(names, name) {
  const colour = COLOURS[names.indexOf(name)];
  if (colour === undefined) throw new Error(`a plot has more contestants than colours: ${names.join(', ')}`);
  return colour;
}

/** Names with their colours, in as many lines as they need. */
function legend(names) {
  let x = LEFT;
  let y = LEGEND_TOP;
  const parts = names.map((name) => {
    const width = 15 + CHARACTER * name.length + 16;
    if (x > LEFT && x + width > WIDTH) {
      x = LEFT;
      y += LEGEND_LINE;
    }
    const part = `<rect x="${x}" y="${y}" width="10" height="10" rx="2" fill="${colourOf(names, name)}"/><text x="${x + 15}" y="${y + 9}">${asText(name)}</text>`;
    x += width;
    return part;
  });
  return { text: parts.join(''), bottom: y + LEGEND_LINE + 10 };
}

/** A line along the middle of the bar with a stroke at both ends. */
function whisker([least, most], y) {
  const [from, to] = [least, most].map((x) => x.toFixed(1));
  const [top, middle, bottom] = [y + 4, y + BAR / 2, y + BAR - 4];
  return `<path class="w" d="M${from} ${top}V${bottom}M${from} ${middle}H${to}M${to} ${top}V${bottom}"/>`;
}

function drawBar({ value, ends, text }, { y, colour, scale }) {
  const width = Math.max(1, scale(value));
  const onPaper = ends?.map((end) => LEFT + scale(end));
  const right = Math.max(LEFT + width, ...(onPaper ?? []));
  return [
    `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${colour}"/>`,
    ...(onPaper === undefined ? [] : [whisker(onPaper, y)]),
    `<text x="${(right + 6).toFixed(1)}" y="${y + 12}">${asText(text)}</text>`,
  ].join('');
}

/**
 * @param title above the bars
 * @param groups `{ name, bars: [{ name, value, ends, text }] }`, of which the same names have the same colour; `ends` are
 * the least and the most, where there are rounds
 */
export function barPlot(title, groups) {
  const all = groups.flatMap(({ bars }) => bars);
  const names = [...new Set(all.map(({ name }) => name))];
  const most = Math.max(...all.flatMap(({ value, ends = [] }) => [value, ...ends]));
  const scale = (value) => ((WIDTH - LEFT - TEXT_WIDTH) * value) / most;
  const head = legend(names);
  let y = head.bottom;
  const parts = groups.map(({ name, bars }) => {
    const top = y;
    const drawn = bars.map((bar, index) =>
      drawBar(bar, { y: top + index * (BAR + 3), colour: colourOf(names, bar.name), scale }),
    );
    y += bars.length * (BAR + 3);
    const middle = top + (y - top) / 2 + 2;
    y += GAP;
    return `<text x="${LEFT - 10}" y="${middle}" text-anchor="end">${asText(name)}</text>${drawn.join('')}`;
  });
  if (all.some(({ ends }) => ends !== undefined)) {
    parts.push(`<text x="${LEFT}" y="${y + 4}">Bars are medians, lines the least to the most of the rounds.</text>`);
    y += GAP;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="${asText(title)}"><style>${STYLE}</style><text class="t" x="${LEFT}" y="20">${asText(title)}</text>${head.text}${parts.join('')}</svg>\n`;
}
