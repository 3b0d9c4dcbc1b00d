/** The semantic rules of WorkloadGroup (facts l7-and-control 6.3). */
import type { FieldReader } from '../manifest/field-reader.ts';
import { isObjectName } from '../manifest/object-meta.ts';
import { checkLabels, checkNotNegative, headerNameProblem, quoted } from './value-rules.ts';

const PROBES = ['httpGet', 'tcpSocket', 'exec', 'grpc'];

export function checkWorkloadGroup(spec: FieldReader): void {
  checkLabels(spec.child('metadata').child('labels'));
  const template = spec.child('template');
  checkLabels(template.child('labels'));
  const account = template.string('serviceAccount') ?? '';
  if (account !== '' && !isObjectName(account)) {
    template.report('serviceAccount', `${quoted(account)} is not the name of a service account`);
  }
  const ports = template.child('ports');
  for (const name of ports.names()) if (name === '') ports.report(name, 'the name of a port must not be empty');
  checkProbe(spec.child('probe'));
}

function checkProbe(probe: FieldReader): void {
  if (!probe.isPresent) return;
  if (!PROBES.some((name) => probe.has(name))) probe.report(undefined, `needs one of ${PROBES.join(', ')}`);
  checkNotNegative(probe, ['initialDelaySeconds']);
  const http = probe.child('httpGet');
  const scheme = http.string('scheme') ?? '';
  if (!['', 'HTTP', 'HTTPS'].includes(scheme.toUpperCase())) {
    http.report('scheme', `must be HTTP or HTTPS, is ${quoted(scheme)}`);
  }
  for (const header of http.children('httpHeaders')) {
    const problem = headerNameProblem(header.string('name') ?? '');
    if (problem !== undefined) header.report('name', problem);
  }
  const { length } = probe.child('exec').strings('command');
  if (probe.child('exec').has('command') && length === 0) probe.child('exec').report('command', 'must not be empty');
  const grpc = probe.child('grpc');
  if (grpc.isPresent && !grpc.has('port')) grpc.report('port', 'is required');
}
