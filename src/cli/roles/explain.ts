/** `ambit explain`: what becomes of a call, and what would change it. */
import { AmbitError } from '../../base/errors.ts';
import type { HttpHeader } from '../../http/http-stream.ts';
import { formatProblem } from '../../model/manifest/manifest-problem.ts';
import { commandClock } from '../command-clock.ts';
import { explainCall, type Hop } from '../explain/explain-call.ts';
import { controlResources, type FeedResources } from '../explain/feed-resources.ts';
import { findDestination, findSource, OUTSIDE } from '../explain/find-ends.ts';
import { folderResources } from '../explain/folder-resources.ts';
import { meshModel } from '../explain/mesh-model.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { printLine } from '../print-line.ts';
import { printValue } from '../print-value.ts';

export interface ExplainFlags extends MeshFlags {
  readonly file?: string;
  readonly namespace?: string;
  readonly method: string;
  readonly path: string;
  readonly header?: readonly string[];
  readonly port?: number;
  readonly output?: 'json' | 'yaml';
}

/** The exit status is 1 when the call is refused. @throws AmbitError */
export async function runExplain(
  from: string,
  to: string,
  flags: ExplainFlags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const resources = await resourcesOf(flags, environment);
  const model = meshModel(resources, commandClock, Math.random);
  const { namespace, method, path, port } = flags;
  const source = findSource(model.state, from, namespace);
  const destination = findDestination(model.state, to, namespace ?? source?.namespace, port);
  const headers = (flags.header ?? []).map(headerOf);
  const hops = explainCall(model, { source, destination, method, path, headers }, Math.random);
  if (flags.output !== undefined) printValue(hops, flags.output);
  else
    printHops(
      hops,
      `${from === OUTSIDE ? 'a client outside the mesh' : from} > ${destination.name}, ${method} ${path}`,
    );
  if (hops.some(({ verdict }) => verdict === 'refused')) process.exitCode = 1;
}

async function resourcesOf(flags: ExplainFlags, environment: NodeJS.ProcessEnv): Promise<FeedResources> {
  if (flags.file !== undefined) {
    const { resources, problems } = await folderResources(flags.file);
    const refused = problems.filter(({ severity }) => severity === 'error');
    for (const problem of refused) process.stderr.write(`left out: ${formatProblem(problem)}\n`);
    return resources;
  }
  const access = await findMesh(flags, environment);
  try {
    return await controlResources(access);
  } finally {
    access.close();
  }
}

function headerOf(text: string): HttpHeader {
  const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)[:=]\s*(.*)$/.exec(text) ?? [];
  if (name === '') throw new AmbitError('HEADER_INVALID', `"${text}" is no header: write NAME: VALUE`);
  return [name.toLowerCase(), value];
}

function printHops(hops: readonly Hop[], title: string): void {
  printLine(title);
  for (const [index, { where, verdict, reason, remarks, change }] of hops.entries()) {
    printLine(`${String(index + 1).padStart(3)}. ${verdict === 'refused' ? '✗' : '✓'} ${where}: ${reason}`);
    for (const remark of remarks) printLine(`       ${remark}`);
    if (change !== '') printLine(`       to change it: ${change}`);
  }
  printLine(hops.some(({ verdict }) => verdict === 'refused') ? 'refused' : 'passes');
}
