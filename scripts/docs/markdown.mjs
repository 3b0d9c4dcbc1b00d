// Markdown pieces that the generators share.

/** A table; cells are escaped where a pipe would end them. */
export function table(heading, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(heading), `|${heading.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** Text as code; nothing stays nothing. */
export function code(text) {
  return text === '' ? '' : `\`${text}\``;
}

/** Puts generated text between `<!-- generated: NAME -->` and `<!-- end: NAME -->`. Throws when a marker is missing. */
export function fillSection(document, name, text) {
  const start = `<!-- generated: ${name} -->`;
  const end = `<!-- end: ${name} -->`;
  const from = document.indexOf(start);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the markers of the section "${name}" are missing`);
  return `${document.slice(0, from + start.length)}\n\n${text}\n\n${document.slice(to)}`;
}

/** 4096 as `4 KiB`, 90000 as `90 s`: values as people read them. `kind` is `bytes`, `ms`, `s` or ``. */
export function readable(value, kind) {
  if (kind === 'bytes')
    return scaled(
      value,
      [
        [1024 ** 2, 'MiB'],
        [1024, 'KiB'],
      ],
      'bytes',
    );
  if (kind === 'ms')
    return scaled(
      value,
      [
        [3_600_000, 'h'],
        [60_000, 'min'],
        [1000, 's'],
      ],
      'ms',
    );
  return kind === 's' ? `${value} s` : String(value);
}

function scaled(value, units, rest) {
  for (const [size, unit] of units) if (value >= size && value % size === 0) return `${value / size} ${unit}`;
  return `${value} ${rest}`;
}
