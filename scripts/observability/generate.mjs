// Writes deploy/observability/dashboards from dashboards.mjs; with --check it compares instead.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DASHBOARDS } from './dashboards.mjs';

const folder = join(import.meta.dirname, '../../deploy/observability/dashboards');
const checks = process.argv.includes('--check');
mkdirSync(folder, { recursive: true });
for (const [name, dashboard] of Object.entries(DASHBOARDS)) {
  const file = join(folder, `${name}.json`);
  const text = `${JSON.stringify(dashboard, null, 2)}\n`;
  if (!checks) writeFileSync(file, text);
  else if (readFileSync(file, 'utf8') !== text) {
    process.stderr.write(`${file} is not what scripts/observability/dashboards.mjs says: run make observability\n`);
    process.exitCode = 1;
  }
}
