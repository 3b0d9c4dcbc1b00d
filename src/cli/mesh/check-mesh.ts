/** Whether a running mesh is well: every finding with what to do about it. */
import { z } from 'zod';
import type { CheckFinding, CheckLevel } from '../../install/pre-check.ts';
import type { MeshAgent } from '../../model/mesh-agent.ts';
import { proxyName } from '../../model/mesh-proxy.ts';
import { ageText } from '../age-text.ts';
import { eachProxy } from './each-proxy.ts';
import { askJson, type MeshAccess } from './mesh-access.ts';
import { agentRestarts, type MeshStatus, type ProxyReport, readStatus } from './read-status.ts';

const manifestsSchema = z.object({
  refused: z.array(z.object({ object: z.string(), field: z.string(), reason: z.string(), position: z.string() })),
});
/** Certificates are renewed at half of their life, which is hours: this close something keeps them from it. */
const EXPIRES_SOON_MS = 3_600_000;

/** @throws AmbitError when the programs cannot be listed */
export async function checkMesh(access: MeshAccess, nowMs: number): Promise<readonly CheckFinding[]> {
  const [status, manifests] = await Promise.all([readStatus(access), manifestFindings(access)]);
  const { reports, agents, missing } = status;
  if (reports.length + agents.length === 0 && missing.length === 0) {
    const hint =
      'ambit check --pre says what a cluster lacks for one, ambit install makes one; --mesh-namespace names where it is';
    return [finding('Mesh', 'error', `${access.where}: there is no program of a mesh`, hint)];
  }
  return [
    ...programFindings(status, access.where, nowMs),
    ...versionFindings(reports),
    ...configFindings(reports),
    ...certificateFindings(reports, nowMs),
    ...manifests,
  ];
}

function finding(group: string, level: CheckLevel, text: string, hint = ''): CheckFinding {
  return { group, level, text, hint };
}

function programFindings({ reports, agents, missing }: MeshStatus, where: string, nowMs: number): CheckFinding[] {
  const group = 'Programs';
  const findings = missing.map((text) => finding(group, 'error', text, 'its log says why it does not answer'));
  for (const program of [...reports.map(({ proxy }) => proxy), ...agents]) {
    if (!program.ready)
      findings.push(finding(group, 'error', `${proxyName(program)} is not ready`, 'its log says what it waits for'));
  }
  findings.push(...agentFindings(reports, agents, nowMs));
  for (const role of ['control', 'ztunnel'] as const) {
    if (reports.some(({ proxy }) => proxy.role === role) || missing.length > 0) continue;
    findings.push(finding(group, 'error', `${where}: there is no ${role}`, 'ambit install puts it there'));
  }
  return findings.length > 0
    ? findings
    : [finding(group, 'ok', `${reports.length + agents.length} programs, all ready`)];
}

function agentFindings(
  reports: readonly ProxyReport[],
  agents: readonly MeshAgent[],
  nowMs: number,
): readonly CheckFinding[] {
  const group = 'Programs';
  const ended = agents.flatMap((agent) => agentRestarts(agent, nowMs) ?? []);
  const findings = ended.map((text) => finding(group, 'warning', text, 'ambit bug-report collects its log'));
  // Without any it is another mesh's agent that takes pods in.
  if (agents.length === 0) return findings;
  const served = new Set(agents.map(({ node }) => node));
  const nodes = reports.flatMap(({ proxy: { role, node } }) => (role === 'ztunnel' && !served.has(node) ? [node] : []));
  const hint = 'no new pod of that node is taken in: why has the DaemonSet of the agent no pod there?';
  return [
    ...findings,
    ...nodes.map((node) => finding(group, 'error', `node ${node} has a ztunnel and no agent`, hint)),
  ];
}

function versionFindings(reports: readonly ProxyReport[]): CheckFinding[] {
  const group = 'Versions';
  const versions = [...new Set(reports.map(({ version }) => version))].sort();
  if (versions.length === 1) return [finding(group, 'ok', `all are of version ${versions[0]}`)];
  const hint = 'normal during an upgrade; ambit upgrade --wait brings it to an end';
  return versions.length === 0 ? [] : [finding(group, 'warning', `there are versions ${versions.join(', ')}`, hint)];
}

function configFindings(reports: readonly ProxyReport[]): CheckFinding[] {
  const group = 'Configuration of proxies';
  const proxies = reports.filter(({ config }) => config !== undefined);
  const findings = proxies.flatMap(({ proxy, config }) => {
    const name = proxyName(proxy);
    if (config?.state === 'NOT CONNECTED') {
      const hint = 'it goes on with what it has: its log says why it does not reach a control plane';
      return [finding(group, 'error', `${name} is connected to no control plane`, hint)];
    }
    if (config?.state === 'UNKNOWN') {
      const hint = 'no control plane says so, see above; it goes on with what it has';
      return [finding(group, 'warning', `whether ${name} has its configuration is not known`, hint)];
    }
    if (config?.state !== 'ERROR') return [];
    const hint = 'the former state stays in force; are control plane and proxy of one version?';
    return config.errors.map((error) => finding(group, 'error', `${name} refused ${error}`, hint));
  });
  if (findings.length > 0 || proxies.length === 0) return findings;
  return [finding(group, 'ok', `${proxies.length} proxies are connected, and refused nothing`)];
}

function certificateFindings(reports: readonly ProxyReport[], nowMs: number): CheckFinding[] {
  const group = 'Certificates';
  const all = reports.flatMap(({ proxy, certificates }) => certificates.map((one) => ({ proxy, ...one })));
  const findings = all.flatMap(({ proxy, identity, state, error, notAfterMs }) => {
    const where = `${proxyName(proxy)}: ${identity}`;
    if (state === 'Unavailable') {
      return [
        finding(group, 'error', `${where} has no certificate: ${error}`, 'the log of the control plane says more'),
      ];
    }
    const leftMs = notAfterMs - nowMs;
    if (state !== 'Available' || leftMs > EXPIRES_SOON_MS) return [];
    const text = leftMs < 0 ? 'expired' : `expires in ${ageText(leftMs)}`;
    return [
      finding(group, leftMs < 0 ? 'error' : 'warning', `${where} ${text}`, 'renewal fails: see the log of the proxy'),
    ];
  });
  if (findings.length > 0 || all.length === 0) return findings;
  return [finding(group, 'ok', `${all.length} certificates are valid`)];
}

/** The same at every control plane. */
async function manifestFindings(access: MeshAccess): Promise<CheckFinding[]> {
  const group = 'Objects';
  const controls = (await access.proxies()).filter(({ role }) => role === 'control');
  const { answers } = await eachProxy(controls.slice(0, 1), async (control) =>
    manifestsSchema.parse(await askJson(access, control, access.controlPort, '/debug/statusz')),
  );
  const refused = answers.flatMap(({ value }) => value.refused);
  const hint = 'correct it; the last good version is in force, if there was one';
  if (answers.length > 0 && refused.length === 0) return [finding(group, 'ok', 'none is refused')];
  return refused.map(({ object, field, reason, position }) =>
    finding(group, 'warning', [position, object, field, reason].filter((part) => part !== '').join(': '), hint),
  );
}
