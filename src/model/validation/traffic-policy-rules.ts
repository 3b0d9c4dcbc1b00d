/** How connections to a service, a port of it or a subset are made (facts l7-and-control 2). */
import type { FieldReader, ReportProblem } from '../manifest/field-reader.ts';
import { checkConnectionPool } from './connection-pool-rules.ts';
import { hostProblem } from './host-rules.ts';
import { checkLoadBalancer } from './load-balancer-rules.ts';
import { checkDuration, checkNotNegative, checkPercent, checkPort, numberOf, quoted } from './value-rules.ts';

const PORT_BLOCKS = ['loadBalancer', 'connectionPool', 'outlierDetection', 'tls'];
const BLOCKS = [...PORT_BLOCKS, 'portLevelSettings', 'tunnel', 'proxyProtocol', 'retryBudget'];
const CERTIFICATE_FILES = ['clientCertificate', 'privateKey', 'caCertificates'];

export function checkTrafficPolicy(policy: FieldReader, warn: ReportProblem): void {
  if (!policy.isPresent) return;
  if (!BLOCKS.some((name) => policy.has(name))) policy.report(undefined, `must not be empty: ${BLOCKS.join(', ')}`);
  checkPortBlocks(policy, warn);
  for (const setting of policy.children('portLevelSettings')) {
    const port = setting.child('port');
    if (!port.has('number')) setting.report('port', 'is required, with its number');
    checkPort(port, 'number');
    if (!PORT_BLOCKS.some((name) => setting.has(name))) {
      setting.report(undefined, `needs at least one of ${PORT_BLOCKS.join(', ')}`);
    }
    checkPortBlocks(setting, warn);
  }
  checkTunnel(policy);
  const budget = policy.child('retryBudget');
  checkPercent(budget, 'percent');
  checkDuration(budget, 'budgetInterval', 'zero');
}

function checkPortBlocks(policy: FieldReader, warn: ReportProblem): void {
  checkConnectionPool(policy.child('connectionPool'));
  checkLoadBalancer(policy.child('loadBalancer'), policy.has('outlierDetection'), warn);
  checkOutlierDetection(policy.child('outlierDetection'), warn);
  checkClientTls(policy.child('tls'), warn);
}

function checkOutlierDetection(detection: FieldReader, warn: ReportProblem): void {
  for (const name of ['maxEjectionPercent', 'minHealthPercent']) checkPercent(detection, name);
  for (const name of ['interval', 'baseEjectionTime']) checkDuration(detection, name);
  checkNotNegative(detection, ['consecutiveErrors']);
  const splits = detection.raw('splitExternalLocalOriginErrors') === true;
  if ((numberOf(detection, 'consecutiveLocalOriginFailures') ?? 0) > 0 && !splits) {
    detection.report('consecutiveLocalOriginFailures', 'needs splitExternalLocalOriginErrors: true');
  }
  if (detection.has('consecutiveErrors')) {
    warn(
      [...detection.path, 'consecutiveErrors'],
      'is deprecated, and counts as consecutiveGatewayErrors: use that or consecutive5xxErrors',
    );
  }
}

/** TLS towards the service (facts l7-and-control 2.5). */
function checkClientTls(tls: FieldReader, warn: ReportProblem): void {
  const given = CERTIFICATE_FILES.filter((name) => isGiven(tls, name));
  const mode = tls.raw('mode');
  if (isGiven(tls, 'credentialName')) {
    for (const name of given) tls.report(name, 'cannot be combined with credentialName');
  } else if (mode === 'MUTUAL') {
    for (const name of ['clientCertificate', 'privateKey']) {
      if (!isGiven(tls, name)) tls.report(name, 'is required for MUTUAL, or else credentialName');
    }
  }
  if (mode === 'ISTIO_MUTUAL' || mode === 'DISABLE') {
    for (const name of given) warn([...tls.path, name], `has no effect with mode ${mode}`);
  }
}

function checkTunnel(policy: FieldReader): void {
  const tunnel = policy.child('tunnel');
  if (tunnel.isPresent && policy.has('proxyProtocol')) {
    policy.report('tunnel', 'cannot be combined with proxyProtocol');
  }
  const protocol = tunnel.string('protocol') ?? '';
  if (protocol !== '' && protocol !== 'CONNECT' && protocol !== 'POST') {
    tunnel.report('protocol', `must be CONNECT or POST, is ${quoted(protocol)}`);
  }
  const host = tunnel.string('targetHost');
  if (host !== undefined && (host.includes('*') || hostProblem(host) !== undefined)) {
    tunnel.report('targetHost', `${quoted(host)} is not a host name or IP address`);
  }
}

function isGiven(reader: FieldReader, name: string): boolean {
  return reader.has(name) && reader.raw(name) !== '';
}
