/** The semantic rules of Sidecar (facts l7-and-control 6.3, 9.4). */
import { parseIpAddress } from '../address.ts';
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { isNamespaceName } from '../manifest/object-meta.ts';
import { parsePort } from '../port.ts';
import { checkConnectionPool } from './connection-pool-rules.ts';
import { checkDestination } from './destination-rules.ts';
import { hostProblem } from './host-rules.ts';
import { checkServerTls } from './server-tls-rules.ts';
import { checkLabels, checkPort, numberOf, quoted } from './value-rules.ts';

/** An address of the workload itself, and a port. */
const ENDPOINT = /^(?:127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]):(\d+)$/;

export function checkSidecar(spec: FieldReader, warn: ReportProblem): void {
  checkLabels(spec.child('workloadSelector').child('labels'));
  if (!spec.names().some((name) => name !== 'workloadSelector')) {
    spec.report(undefined, 'says nothing: needs ingress, egress, outboundTrafficPolicy or inboundConnectionPool');
  }
  checkConnectionPool(spec.child('inboundConnectionPool'));
  const egressProxy = spec.child('outboundTrafficPolicy').child('egressProxy');
  if (egressProxy.isPresent) checkDestination(egressProxy);
  checkIngress(spec.children('ingress'), warn);
  checkEgress(spec.children('egress'));
}

function checkIngress(listeners: readonly FieldReader[], warn: ReportProblem): void {
  const ports = new Set<number>();
  for (const listener of listeners) {
    const port = listener.child('port');
    const number = numberOf(port, 'number');
    if (number === undefined && port.isPresent) port.report('number', 'is required');
    if (number !== undefined && ports.has(number)) port.report('number', `port ${number} is listed twice`);
    ports.add(number ?? 0);
    checkListener(listener);
    const endpoint = listener.string('defaultEndpoint') ?? '';
    if (endpoint !== '' && !isEndpoint(endpoint)) {
      listener.report(
        'defaultEndpoint',
        `${quoted(endpoint)} is not 127.0.0.1:<port>, 0.0.0.0:<port> or unix://<path>`,
      );
    }
    checkConnectionPool(listener.child('connectionPool'));
    if (listener.has('tls')) checkServerTls(listener.child('tls'), warn);
  }
}

function checkEgress(listeners: readonly FieldReader[]): void {
  const withoutPort = listeners.filter((listener) => !listener.has('port'));
  withoutPort[1]?.report('port', 'is required: only one entry of egress, for all other traffic, can do without');
  for (const listener of listeners) {
    checkListener(listener);
    const hosts = listener.strings('hosts');
    if (listener.has('hosts') && hosts.length === 0) listener.report('hosts', 'needs at least one host');
    for (const host of hosts) {
      const problem = egressHostProblem(host);
      if (problem !== undefined) listener.report('hosts', problem);
    }
  }
}

function checkListener(listener: FieldReader): void {
  checkPort(listener.child('port'), 'number');
  const bind = listener.string('bind') ?? '';
  if (bind !== '' && !bind.startsWith('unix://') && parseIpAddress(bind) === undefined) {
    listener.report('bind', `${quoted(bind)} is not an IP address`);
  }
}

function isEndpoint(text: string): boolean {
  if (text.startsWith('unix://')) return true;
  return parsePort(ENDPOINT.exec(text)?.[1] ?? '') !== undefined;
}

/** `namespace/dnsName`, with `*`, `.`, `~` or a name as namespace. */
function egressHostProblem(host: string): string | undefined {
  const slash = host.indexOf('/');
  if (slash < 0) return `${quoted(host)} is not of the form namespace/host`;
  const namespace = host.slice(0, slash);
  if (!['*', '.', '~'].includes(namespace) && !isNamespaceName(namespace)) {
    return `${quoted(namespace)} is neither a namespace nor one of ".", "*", "~"`;
  }
  return hostProblem(host.slice(slash + 1));
}
