// Fills the generated sections of the documentation from the code and from bench/results. The text around them is
// written by hand. `node scripts/docs/generate.mjs` writes in place, with a folder as argument it writes there.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { aimTable } from './aim-table.mjs';
import { benchTable } from './bench-table.mjs';
import { commandExamples } from './commands.mjs';
import { agentVariables, commandFlags, otherVariables, ztunnelVariables } from './config.mjs';
import { controlMemoryTable, dashboardText } from './control-details.mjs';
import { pushTable, reconnectTable } from './control-tables.mjs';
import { processErrorTables, proxyErrorTable } from './errors.mjs';
import { l4Details } from './l4-details.mjs';
import { l7Table } from './l7-table.mjs';
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
import { nodeMemoryTable } from './node-memory-table.mjs';
import { benchPlots } from './plots.mjs';
import { ROOT } from './source-files.mjs';

/** By file: the sections and what fills them. */
const SECTIONS = {
  'README.md': { bench: benchTable },
  'bench/README.md': { bench: benchTable },
  'docs/benchmarks.md': {
    aims: aimTable,
    memory: nodeMemoryTable,
    l4: benchTable,
    'l4-details': l4Details,
    l7: l7Table,
    push: pushTable,
    reconnect: () => [reconnectTable(), controlMemoryTable(), dashboardText()].join('\n\n'),
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
