// Reads bench/results; says where and when a file of it was measured.
import { readFileSync } from 'node:fs';

const FOLDER = new URL('../../bench/results/', import.meta.url);

/** The file of that name. */
export const readResults = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'));

/** One line, and another one where the file names the versions of the programs that it compares. */
export function measured({ date, commit, machine, versions = {} }) {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `Measured ${date.slice(0, 10)} at ${commit} on ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}.`,
    ...(programs.length > 0 ? [`Versions: ${programs.join(', ')}.`] : []),
  ].join('\n');
}
