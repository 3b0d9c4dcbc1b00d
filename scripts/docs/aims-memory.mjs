// What the memory of a node was to be against sidecars.
import { atMost } from './aim.mjs';

/** `of` is where a line holds what the programs take under the calls. */
function nodeAims({ lines }, { pods, where, of, alone, pss, rss }) {
  const line = lines.find((one) => one.pods === pods && one.services === 100);
  if (line === undefined) throw new Error(`bench/results has no node of ${pods} pods and 100 services: ${where}`);
  const ratio = (field) => of(line.node)[field] / of(line.sidecars)[field];
  return [
    [`${where}: memory, program files once`, ratio('aloneBytes'), atMost(alone)],
    ['the same: PSS, of which other programs on Node take a share', ratio('pssBytes'), atMost(pss)],
    ['the same: RSS', ratio('rssBytes'), atMost(rss)],
  ];
}

const THIRTY = { pods: 30, alone: 0.167, pss: 0.167, rss: 0.083 };
const HUNDRED = { pods: 100, alone: 0.067, pss: 0.067, rss: 0.029 };

export function memoryAims(local, cluster) {
  const busy = (one) => one.busy;
  return [
    ...nodeAims(local, { ...THIRTY, where: 'a node of 30 pods, 100 services, against sidecars', of: busy }),
    ...nodeAims(cluster, { ...THIRTY, where: 'the same on a node of a cluster', of: (one) => one }),
    ...nodeAims(local, { ...HUNDRED, where: 'a node of 100 pods, 100 services', of: busy }),
  ];
}
