// Fills the generated sections of the documentation from the code and from bench/results. The text around them is
// written by hand. `node scripts/docs/generate.mjs` writes in place, with a folder as argument it writes there.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { benchTable } from './bench-table.mjs';
import { aimTable, benchPlots, controlTables, l4DetailTables, l7Table, nodeMemoryTable } from './benchmarks.mjs';
import { commandExamples } from './commands.mjs';
import { agentVariables, commandFlags, otherVariables, ztunnelVariables } from './config.mjs';
import { processErrorTables, proxyErrorTable } from './errors.mjs';
import { limitTables } from './limits.mjs';
import { fillSection } from './markdown.mjs';
import {
  agentMetricTable,
  controlMetricTable,
  metricTable,
  trafficLabelTable,
  waypointMetricTable,
} from './metrics.mjs';
import { microTable } from './micro-table.mjs';
import { ROOT } from './source-files.mjs';

/** By file: the sections and what fills them. */
const SECTIONS = {
  'README.md': { bench: benchTable },
  'bench/README.md': { bench: benchTable },
  'docs/benchmarks.md': {
    aims: aimTable,
    memory: nodeMemoryTable,
    l4: benchTable,
    'l4-details': l4DetailTables,
    l7: l7Table,
    push: () => controlTables().push,
    reconnect: () => controlTables().reconnect,
    micro: microTable,
  },
  'docs/config.md': {
    ztunnel: ztunnelVariables,
    agent: agentVariables,
    other: otherVariables,
    commands: commandFlags,
  },
  'docs/commands.md': { commands: commandExamples },
  'docs/metrics.md': {
    metrics: metricTable,
    labels: trafficLabelTable,
    waypoint: waypointMetricTable,
    control: controlMetricTable,
    agent: agentMetricTable,
  },
  'docs/errors.md': { connections: proxyErrorTable, programs: processErrorTables },
  'docs/limits.md': { limits: limitTables },
};

const out = process.argv[2] ?? ROOT;
for (const [file, sections] of Object.entries(SECTIONS)) {
  let document = readFileSync(join(ROOT, file), 'utf8');
  for (const [name, text] of Object.entries(sections)) document = fillSection(document, name, text());
  mkdirSync(dirname(join(out, file)), { recursive: true });
  writeFileSync(join(out, file), document);
}
mkdirSync(join(out, 'docs/images'), { recursive: true });
for (const [name, plot] of Object.entries(benchPlots())) writeFileSync(join(out, 'docs/images', name), plot);
