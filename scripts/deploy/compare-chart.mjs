/** Whether `helm template` gives the objects of deploy/manifests: compare-chart.mjs RENDERED_FILE. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

const MANIFESTS = 'deploy/manifests/ambit.yaml';
const chart = objectsOf(process.argv[2]);
const manifests = objectsOf(MANIFESTS);
// Helm makes the namespace itself.
manifests.delete('Namespace istio-system');
let differences = 0;
for (const name of new Set([...chart.keys(), ...manifests.keys()])) {
  if (chart.get(name) === manifests.get(name)) continue;
  differences++;
  console.error(`${name} differs\n  chart:     ${chart.get(name)}\n  manifests: ${manifests.get(name)}`);
}
if (differences > 0) process.exit(1);
console.log(`deploy: ${chart.size} objects of the chart are those of ${MANIFESTS}`);

function objectsOf(file) {
  const documents = parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS());
  return new Map(
    documents
      .filter((object) => object !== null)
      .map((object) => [`${object.kind} ${object.metadata.name}`, JSON.stringify(sorted(object))]),
  );
}

function sorted(node) {
  if (Array.isArray(node)) return node.map(sorted);
  if (node === null || typeof node !== 'object') return node;
  return Object.fromEntries(
    Object.keys(node)
      .sort()
      .map((key) => [key, sorted(node[key])]),
  );
}
