// Runs dependency-cruiser and fails when it cruised too few modules: a guard that sees nothing must not pass.
import { spawnSync } from 'node:child_process';

const MIN_MODULES = 48;
const run = spawnSync(
  process.execPath,
  [
    'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
    '--config',
    '.dependency-cruiser.cjs',
    '--output-type',
    'json',
    'src',
  ],
  {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  },
);
const fail = (text) => {
  console.error(text);
  process.exit(1);
};
let report;
try {
  report = JSON.parse(run.stdout);
} catch {
  fail(`dependency-cruiser printed no report (exit ${run.status}): ${run.stderr.slice(0, 2000)}`);
}
const modules = report.modules.filter((module) => module.source.startsWith('src/')).length;
for (const { rule, from, to, cycle } of report.summary.violations) {
  console.error(`${rule.name}: ${from} -> ${cycle?.map((step) => step.name ?? step).join(' -> ') ?? to}`);
}
if (modules < MIN_MODULES)
  fail(`dependency-cruiser saw only ${modules} modules of src, expected at least ${MIN_MODULES}: the guard is off`);
if (report.summary.violations.length > 0) process.exit(1);
console.log(`ranks hold: ${modules} modules, no violation`);
