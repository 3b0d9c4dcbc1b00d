/** `ambit analyze`: what is wrong with the configuration of a folder or a cluster. */

import { AmbitError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { type AnalyzedMesh, analyzeMesh, type Message } from '../../control/analyze/analyze-mesh.ts';
import { type FindingLevel, isAtLeast } from '../../control/analyze/finding.ts';
import { DEFAULT_MESH_OPTIONS } from '../../control/mesh-options.ts';
import { type ClusterFlags, clusterClient } from '../cluster-client.ts';
import { printLine } from '../print-line.ts';
import { printValue } from '../print-value.ts';

export interface AnalyzeFlags extends ClusterFlags {
  readonly file?: string;
  readonly namespace?: string;
  readonly suppress?: readonly string[];
  readonly failureThreshold: FindingLevel;
  readonly output?: 'json' | 'yaml';
}

/** As `istioctl analyze` ends where there is something to mend (facts l7-and-control 9.7). */
const FOUND = 79;

/** The exit status is 79 when something is as bad as the threshold. @throws AmbitError */
export async function runAnalyze(flags: AnalyzeFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const mesh = await meshOf(flags, environment);
  const { namespace, suppress = [], failureThreshold, output } = flags;
  const messages = analyzeMesh(mesh, suppress).filter(
    ({ object }) => namespace === undefined || object.split(' ')[1]?.split('/')[0] === namespace,
  );
  if (output !== undefined) printValue(messages, output);
  else if (messages.length === 0) printLine(`nothing was found in ${flags.file ?? 'the cluster'}`);
  else for (const message of messages) printLine(messageText(message));
  if (messages.some(({ level }) => isAtLeast(level, failureThreshold))) process.exitCode = FOUND;
}

async function meshOf(flags: AnalyzeFlags, environment: NodeJS.ProcessEnv): Promise<AnalyzedMesh> {
  const { file } = flags;
  if (file !== undefined) {
    const { folderResources } = await import('../explain/folder-resources.ts');
    return { ...(await folderResources(file)), rootNamespace: DEFAULT_MESH_OPTIONS.rootNamespace };
  }
  const client = await clusterClient(flags, environment).catch(nameFolders);
  try {
    process.stderr.write('reading the objects of the cluster\n');
    const { clusterMesh } = await import('../analyze/cluster-mesh.ts');
    return await clusterMesh(client);
  } finally {
    client.close();
  }
}

/** Who has a mesh of `ambit up`, or nothing yet, has manifests. @throws AmbitError */
function nameFolders(error: unknown): never {
  if (!(error instanceof AmbitError) || error.code !== 'KUBECONFIG_MISSING') throw error;
  throw new AmbitError(error.code, `${error.message}; -f FOLDER is for manifests, such as those of ambit up`);
}

function messageText({ level, code, object, position, message }: Message): string {
  return printable(`${level} [${code}] (${[object, position].filter((part) => part !== '').join(' ')}) ${message}`);
}
