/** `ambit status`: every program of the mesh, and whether it has what it should. */
import { systemClock } from '../../base/clock.ts';
import type { MeshAgent } from '../../model/mesh-agent.ts';
import { proxyName } from '../../model/mesh-proxy.ts';
import { ageText } from '../age-text.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import {
  agentRestarts,
  type ConfigStatus,
  type MeshStatus,
  type ProxyReport,
  readStatus,
} from '../mesh/read-status.ts';
import { printValue } from '../print-value.ts';
import { textTable } from '../text-table.ts';

export interface StatusFlags extends MeshFlags {
  readonly output?: 'json' | 'yaml' | 'wide';
}

/** The exit status is 1 when something is wrong. @throws AmbitError */
export async function runStatus(flags: StatusFlags, environment: NodeJS.ProcessEnv): Promise<void> {
  const access = await findMesh(flags, environment);
  try {
    const status = await readStatus(access);
    printStatus(status, flags.output, systemClock.nowMs());
    for (const line of status.missing) process.stderr.write(`missing: ${line}\n`);
    if (status.missing.length > 0 || !status.reports.every(isWell) || !status.agents.every(({ ready }) => ready))
      process.exitCode = 1;
    if (status.reports.length + status.agents.length > 0 || status.missing.length > 0) return;
    process.stderr.write(
      `${access.where}: no program of a mesh was found; ambit install puts one there, --mesh-namespace names where it is\n`,
    );
    process.exitCode = 1;
  } finally {
    access.close();
  }
}

function isWell({ proxy, config, certificates }: ProxyReport): boolean {
  const hasConfig = config === undefined || config.state === 'SYNCED' || config.state === 'STALE';
  return proxy.ready && hasConfig && certificates.every(({ state }) => state !== 'Unavailable');
}

function printStatus({ reports, agents }: MeshStatus, output: StatusFlags['output'], nowMs: number): void {
  if (output === 'json' || output === 'yaml')
    return printValue([...reports.map(plain), ...agents.map((agent) => ({ role: 'agent', ...agent }))], output);
  const wide = output === 'wide';
  const heading = ['PROXY', 'ROLE', 'READY', 'VERSION', 'CONFIG', 'AGE', 'CERTIFICATES', 'EXPIRES', 'CONNECTIONS'];
  const rows = [
    ...reports.map((report) => [...cellsOf(report, nowMs), ...(wide ? wideCells(report) : [])]),
    ...agents.map((agent) => [...agentCells(agent), ...(wide ? [agent.node || '-', '-', '-', '-'] : [])]),
  ];
  process.stdout.write(textTable(wide ? [...heading, 'NODE', 'ADDRESS', 'CONTROL', 'UPDATE'] : heading, rows));
  for (const { proxy, config, certificates } of reports) {
    for (const error of config?.errors ?? []) process.stderr.write(`${proxyName(proxy)} refused ${error}\n`);
    for (const { identity, error } of certificates) {
      if (error !== '') process.stderr.write(`${proxyName(proxy)} has no certificate for ${identity}: ${error}\n`);
    }
  }
  for (const line of agents.flatMap((agent) => agentRestarts(agent, nowMs) ?? [])) process.stderr.write(`${line}\n`);
}

function agentCells(agent: MeshAgent): string[] {
  return [proxyName(agent), 'agent', agent.ready ? 'yes' : 'no', '-', '-', '-', '-', '-', '-'];
}

function cellsOf({ proxy, version, config, certificates, connections }: ProxyReport, nowMs: number): string[] {
  const valid = certificates.filter(({ state }) => state === 'Available');
  const expiresMs = Math.min(...valid.map(({ notAfterMs }) => notAfterMs));
  return [
    proxyName(proxy),
    proxy.role,
    proxy.ready ? 'yes' : 'no',
    version,
    config?.state ?? '-',
    ageCell(config, nowMs),
    config === undefined ? '-' : `${valid.length}/${certificates.length}`,
    valid.length === 0 ? '-' : ageText(expiresMs - nowMs),
    connections === undefined ? '-' : String(connections),
  ];
}

function ageCell(config: ConfigStatus | undefined, nowMs: number): string {
  return config?.acknowledgedMs === undefined ? '-' : ageText(nowMs - config.acknowledgedMs);
}

function wideCells({ proxy, config }: ProxyReport): string[] {
  const update = config?.acknowledged;
  return [proxy.node || '-', proxy.ip || '-', config?.control ?? '-', update === undefined ? '-' : String(update)];
}

function plain({ proxy, ...report }: ProxyReport): object {
  return { ...proxy, ...report };
}
