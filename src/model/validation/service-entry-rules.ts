/** What a ServiceEntry must not be beyond what its reader refuses (facts l7-and-control 6.2). */
import type { FieldReader } from '../manifest/field-reader.ts';
import { quoted } from './value-rules.ts';
import { checkExportTo } from './visibility-rules.ts';

/** Protocols in which the client names the host. */
const NAMES_HOST = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTPS', 'TLS'];
const DYNAMIC_PROTOCOLS = ['HTTP', 'HTTP2', 'GRPC', 'TLS'];

export function checkServiceEntry(spec: FieldReader): void {
  checkExportTo(spec, 'nobody');
  const hosts = spec.strings('hosts');
  const resolution = spec.string('resolution') ?? 'NONE';
  const ports = spec.children('ports');
  if (resolution === 'DYNAMIC_DNS') checkDynamic(spec, hosts, ports);
  else if (resolution !== 'NONE' && hosts.length > 1) {
    const other = ports.find((port) => !NAMES_HOST.includes(protocolOf(port)));
    other?.report('protocol', `${quoted(protocolOf(other))} does not tell several hosts apart: HTTP and TLS do`);
  }
}

function checkDynamic(spec: FieldReader, hosts: readonly string[], ports: readonly FieldReader[]): void {
  const exact = hosts.find((host) => !host.startsWith('*'));
  if (exact !== undefined) spec.report('hosts', `${quoted(exact)} is no wildcard, which DYNAMIC_DNS needs`);
  for (const list of ['addresses', 'endpoints']) {
    const value = spec.raw(list);
    if (Array.isArray(value) && value.length > 0) spec.report(list, 'cannot be used with resolution DYNAMIC_DNS');
  }
  for (const port of ports) {
    const protocol = protocolOf(port);
    if (!DYNAMIC_PROTOCOLS.includes(protocol)) {
      port.report(
        'protocol',
        `must be one of ${DYNAMIC_PROTOCOLS.join(', ')} with DYNAMIC_DNS, is ${quoted(protocol)}`,
      );
    }
  }
}

function protocolOf(port: FieldReader): string {
  return (port.string('protocol') ?? '').toUpperCase();
}
