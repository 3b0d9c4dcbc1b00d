/** What the control plane remarks on objects, as lines for a person: each once, when it appears. */
import { z } from 'zod';
import { titleOfKey } from '../model/manifest/manifest-object.ts';

const statusSchema = z.object({
  accepted: z.array(z.object({ object: z.string(), note: z.string().optional() })),
});

export class RemarkChanges {
  #lines: ReadonlySet<string> = new Set();

  /** @param statusText of `--status-file`. @returns `<Kind> <namespace>/<name>: <text>` of remarks that were not there at the last look */
  look(statusText: string): string[] {
    const lines = readLines(statusText);
    if (lines === undefined) return [];
    const appeared = lines.filter((line) => !this.#lines.has(line));
    this.#lines = new Set(lines);
    return appeared;
  }
}

function readLines(text: string): string[] | undefined {
  try {
    const { accepted } = statusSchema.parse(JSON.parse(text));
    return accepted.flatMap(({ object, note }) => (note === undefined ? [] : [`${titleOfKey(object)}: ${note}`]));
  } catch {
    // Not written by this version: nothing is known of remarks then.
    return undefined;
  }
}
