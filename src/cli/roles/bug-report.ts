/** `ambit bug-report`: what somebody needs who is to find a fault, in one file. */
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { systemClock } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { hideSecretParams } from '../../base/hide-secrets.ts';
import type { MeshAgent } from '../../model/mesh-agent.ts';
import { type MeshProxy, proxyName } from '../../model/mesh-proxy.ts';
import { type ArchivedFile, tarArchive } from '../bug-report/tar.ts';
import { checkWritable } from '../check-writable.ts';
import { eachProxy } from '../mesh/each-proxy.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { askText, type MeshAccess } from '../mesh/mesh-access.ts';
import { readStatus } from '../mesh/read-status.ts';
import { printLine } from '../print-line.ts';
import { VERSION } from '../version.ts';
import { dumpOf } from './dump.ts';

export interface BugReportFlags extends MeshFlags {
  readonly file?: string;
}

const METRICS_PORT = 15020;
const compress = promisify(gzip);

/** What cannot be had is named in the report. @throws AmbitError when the programs cannot be listed, or the file not be written */
export async function runBugReport(flags: BugReportFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const access = await findMesh(flags, environment);
  try {
    const proxies = await access.proxies();
    const atMs = systemClock.nowMs();
    const time = new Date(atMs).toISOString();
    const file = flags.file ?? `ambit-bug-report-${time.replace(/[:.]/g, '-')}.tar.gz`;
    checkWritable(file);
    process.stderr.write(`${access.where}: asking ${proxies.length} programs\n`);
    const { answers, missing } = await eachProxy(proxies, (proxy) => filesOf(access, proxy));
    const status = await readStatus(access);
    const about = { time, version: VERSION, node: process.versions.node, where: access.where, proxies, missing };
    const files = [
      jsonFile('about.json', about),
      jsonFile('status.json', status),
      ...answers.flatMap(({ value }) => value),
      ...(await keepersFiles(access, status.agents)),
    ];
    await writeFile(file, await compress(tarArchive(files, atMs)), { mode: 0o600 });
    for (const line of missing) process.stderr.write(`missing: ${line}\n`);
    printLine(`${file}: ${files.length} files; names of workloads and addresses are in it, keys and tokens are not`);
  } finally {
    access.close();
  }
}

async function filesOf(access: MeshAccess, proxy: MeshProxy): Promise<readonly ArchivedFile[]> {
  const folder = proxyName(proxy).replace('/', '_');
  const metrics =
    proxy.role === 'control' ? undefined : () => askText(access, proxy, METRICS_PORT, '/stats/prometheus');
  return Promise.all([
    fileOf(`${folder}/dump.json`, async () => JSON.stringify(await dumpOf(access, proxy), null, 2)),
    fileOf(`${folder}/log.txt`, async () => hideSecretParams(await access.logOf(proxy))),
    ...(metrics === undefined ? [] : [fileOf(`${folder}/metrics.txt`, metrics)]),
  ]);
}

/** The logs of agents, and of what keeps all programs running. */
async function keepersFiles(access: MeshAccess, agents: readonly MeshAgent[]): Promise<readonly ArchivedFile[]> {
  const logs = agents.map((agent) => {
    const folder = proxyName(agent).replace('/', '_');
    return fileOf(`${folder}/log.txt`, async () => hideSecretParams(await access.logOf({ role: 'agent', ...agent })));
  });
  const { keeperLog } = access;
  const own =
    keeperLog === undefined ? [] : [fileOf('up/log.txt', async () => hideSecretParams(await keeperLog.call(access)))];
  return Promise.all([...logs, ...own]);
}

/** Why there is none stands in its place. */
async function fileOf(name: string, read: () => Promise<string>): Promise<ArchivedFile> {
  try {
    return { name, content: Buffer.from(await read()) };
  } catch (error) {
    return { name: `${name}.missing`, content: Buffer.from(`${errorText(error)}\n`) };
  }
}

function jsonFile(name: string, value: unknown): ArchivedFile {
  return { name, content: Buffer.from(`${JSON.stringify(value, null, 2)}\n`) };
}
