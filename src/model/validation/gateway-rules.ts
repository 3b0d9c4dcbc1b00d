/** The semantic rules of Gateway of networking.istio.io (facts l7-and-control 4.7). */
import { parseIpAddress } from '../address.ts';
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { isNamespaceName } from '../manifest/object-meta.ts';
import { hostProblem } from './host-rules.ts';
import { checkServerTls } from './server-tls-rules.ts';
import { checkLabels, checkPort, quoted } from './value-rules.ts';

const PROTOCOLS = ['HTTP', 'HTTPS', 'GRPC', 'GRPC-WEB', 'HTTP2', 'MONGO', 'TCP', 'TLS'];
const TLS_PROTOCOLS = ['HTTPS', 'TLS'];
const HTTP_PROTOCOLS = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB'];

export function checkGateway(spec: FieldReader, warn: ReportProblem): void {
  checkLabels(spec.child('selector'));
  const servers = spec.children('servers');
  if (servers.length === 0) spec.report('servers', 'needs at least one server');
  const names = new Set<string>();
  for (const server of servers) {
    const port = server.child('port');
    const name = port.string('name') ?? '';
    if (name !== '' && names.has(name)) port.report('name', `the name ${quoted(name)} is used twice`);
    names.add(name);
    checkServer(server, warn);
  }
}

function checkServer(server: FieldReader, warn: ReportProblem): void {
  const protocol = checkServerPort(server);
  const hosts = server.strings('hosts');
  if (server.has('hosts') && hosts.length === 0) server.report('hosts', 'needs at least one host');
  for (const host of hosts) {
    const problem = serverHostProblem(host);
    if (problem !== undefined) server.report('hosts', problem);
  }
  const bind = server.string('bind') ?? '';
  if (bind !== '' && !bind.startsWith('unix://') && parseIpAddress(bind) === undefined) {
    server.report('bind', `${quoted(bind)} is not an IP address`);
  }
  checkTls(server, protocol, warn);
}

/** Returns the protocol, '' when it is not a valid one. */
function checkServerPort(server: FieldReader): string {
  const port = server.child('port');
  if (!port.isPresent) return '';
  if (!port.has('number')) port.report('number', 'is required');
  checkPort(port, 'number');
  if (port.has('targetPort')) port.report('targetPort', 'is not for gateways: they listen on number');
  const protocol = (port.string('protocol') ?? '').toUpperCase();
  if (PROTOCOLS.includes(protocol)) return protocol;
  port.report('protocol', `must be one of ${PROTOCOLS.join(', ')}, is ${quoted(protocol)}`);
  return '';
}

/** `[namespace/]dnsName`, with `*`, `.` or a name as namespace. */
function serverHostProblem(host: string): string | undefined {
  const slash = host.indexOf('/');
  const namespace = slash < 0 ? '*' : host.slice(0, slash);
  if (namespace !== '*' && namespace !== '.' && !isNamespaceName(namespace)) {
    return `${quoted(namespace)} is neither a namespace nor "." nor "*"`;
  }
  return hostProblem(host.slice(slash + 1));
}

function checkTls(server: FieldReader, protocol: string, warn: ReportProblem): void {
  const tls = server.child('tls');
  if (protocol === '') return;
  if (!TLS_PROTOCOLS.includes(protocol)) {
    const isUsed = tls.names().some((name) => name !== 'httpsRedirect' && tls.raw(name) !== 'PASSTHROUGH');
    if (isUsed) server.report('tls', `is for HTTPS and TLS, not for ${protocol}: only httpsRedirect can be given`);
  } else if (!tls.isPresent) server.report('tls', `is required for ${protocol}`);
  else checkServerTls(tls, warn);
  if (tls.raw('httpsRedirect') === true && !HTTP_PROTOCOLS.includes(protocol)) {
    warn([...tls.path, 'httpsRedirect'], `has no effect on ${protocol}: it is for HTTP`);
  }
}
