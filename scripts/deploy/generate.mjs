/**
 * Writes deploy/helm/ambit and deploy/manifests from src/install. With --check nothing is written: the exit code says
 * whether the files are what they should be.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Document, stringify } from 'yaml';
import { z } from 'zod';
import { installationCrds } from '../../src/install/crds.ts';
import { installValuesSchema, parseInstallValues } from '../../src/install/install-values.ts';
import { COMPONENT_OBJECTS, DEFAULT_INSTALL_NAMESPACE, renderInstall } from '../../src/install/render-install.ts';
import { helmTemplate } from './helm-text.mjs';

const GENERATED = 'Written by scripts/deploy/generate.mjs from src/install; change it there.';
const CHART = 'deploy/helm/ambit';
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const schema = z.toJSONSchema(installValuesSchema, { io: 'input' });

const files = new Map([
  [`${CHART}/Chart.yaml`, chartFile()],
  [`${CHART}/values.yaml`, valuesFile()],
  [`${CHART}/values.schema.json`, `${JSON.stringify(withHelmGlobals(schema), null, 2)}\n`],
  [`${CHART}/README.md`, chartReadme()],
  [`${CHART}/crds/crds.yaml`, crdsFile()],
  ['deploy/manifests/crds.yaml', crdsFile()],
  ['deploy/manifests/ambit.yaml', manifestsFile()],
]);
for (const [component, objects] of Object.entries(COMPONENT_OBJECTS)) {
  files.set(`${CHART}/templates/${component}.yaml`, `{{- /* ${GENERATED} */ -}}\n${helmTemplate(objects)}`);
}

if (process.argv.includes('--check')) check();
else write();

function write() {
  for (const [path, text] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  console.log(`${files.size} files under deploy/`);
}

function check() {
  const stale = [...files].filter(([path, text]) => readOrEmpty(path) !== text).map(([path]) => path);
  const extra = [CHART, 'deploy/manifests'].flatMap(filesIn).filter((path) => !files.has(path));
  for (const path of stale) console.error(`${path} is not what src/install says: run scripts/deploy/generate.mjs`);
  for (const path of extra) console.error(`${path} is not written by scripts/deploy/generate.mjs`);
  if (stale.length + extra.length > 0) process.exit(1);
}

function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function readOrEmpty(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function manifestsFile() {
  return documents(renderInstall(parseInstallValues({}), DEFAULT_INSTALL_NAMESPACE));
}

function crdsFile() {
  return documents(installationCrds());
}

function documents(objects) {
  const texts = objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }));
  return `# ${GENERATED}\n${texts.map((text) => `---\n${text}`).join('')}`;
}

function chartFile() {
  const chart = {
    apiVersion: 'v2',
    name: 'ambit',
    description: 'A service mesh without sidecars: control plane, node agent and node proxy',
    type: 'application',
    version,
    appVersion: version,
    kubeVersion: '>=1.29.0-0',
    home: undefined,
  };
  return `# ${GENERATED}\n${stringify(chart)}`;
}

/** The defaults, each under its description. */
function valuesFile() {
  const document = new Document(parseInstallValues({}));
  annotate(document.contents, schema);
  document.commentBefore = ` ${GENERATED}`;
  return document.toString({ lineWidth: 0 });
}

function annotate(map, node) {
  for (const pair of map.items) {
    const property = node.properties?.[pair.key.value];
    if (property === undefined) continue;
    if (property.description !== undefined) pair.key.commentBefore = ` ${property.description}`;
    if (isGroup(property)) annotate(pair.value, property);
  }
}

/** Whether a value is nothing but a group of others. */
function isGroup(property) {
  return property.properties !== undefined && property.additionalProperties === false;
}

/** Helm puts `global` among the values of every chart. */
function withHelmGlobals(node) {
  return { ...node, properties: { ...node.properties, global: { type: 'object' } } };
}

function chartReadme() {
  const rows = valueRows(schema, '').map(
    ([path, type, fallback, text]) => `| \`${path}\` | ${type} | ${fallback} | ${text} |`,
  );
  return `# Helm chart of ambit

<!-- ${GENERATED} -->

\`\`\`sh
helm install ambit deploy/helm/ambit --namespace ${DEFAULT_INSTALL_NAMESPACE} --create-namespace
\`\`\`

No registry has the image of the defaults: bring it to the nodes, or push it to a registry of your own and set
\`image.repository\` ([how](../../../docs/kubernetes.md#the-image)). Before \`helm uninstall\` the agents have to go
([why and how](../../../docs/kubernetes.md#remove)).

The chart holds the same objects as \`ambit install\`. Helm applies the CRDs of \`crds/\` once and never changes them;
\`ambit upgrade\` does. Wait for the DaemonSets before enrolling namespaces.

| value | type | default | what |
|---|---|---|---|
${rows.join('\n')}
`;
}

function valueRows(node, prefix) {
  return Object.entries(node.properties ?? {}).flatMap(([key, property]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (isGroup(property)) return valueRows(property, path);
    const type = property.enum === undefined ? property.type : property.enum.map((word) => `\`${word}\``).join(', ');
    return [[path, type ?? 'any', `\`${JSON.stringify(property.default)}\``, property.description ?? '']];
  });
}
