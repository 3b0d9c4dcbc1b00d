/** What a command prints with `-o json` and `-o yaml`. */
import { stringify } from 'yaml';

/** As a document of its own. */
export function printValue(value: unknown, format: 'json' | 'yaml'): void {
  process.stdout.write(format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : stringify(value));
}
