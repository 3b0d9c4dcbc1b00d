/** How hosts are written in VirtualServices, and which services they mean (facts l7-and-control 1.1). */
import { parseIpAddress } from '../../../model/address.ts';
import { type MeshOptions, serviceHostname } from '../../mesh-options.ts';

/** A name without a dot is of a service in the namespace of whoever wrote it; all else stays as it is. */
export function expandHost(mesh: MeshOptions, namespace: string, host: string): string {
  const lower = host.toLowerCase();
  const isWhole = lower.includes('.') || lower.includes('*') || parseIpAddress(lower) !== undefined;
  return isWhole ? lower : serviceHostname(mesh, namespace, lower);
}

/** The Service that a host name stands for, if it has such a form. */
export function serviceOfHost(mesh: MeshOptions, host: string): { namespace: string; name: string } | undefined {
  const suffix = `.svc.${mesh.clusterDomain}`;
  if (!host.endsWith(suffix)) return undefined;
  const [name = '', namespace = '', ...rest] = host.slice(0, -suffix.length).split('.');
  return name === '' || name === '*' || namespace === '' || rest.length > 0 ? undefined : { namespace, name };
}

/** Every host, as written in a namespace, that covers a host name or pattern: itself, its short name, wildcards. */
export function coveringHosts(mesh: MeshOptions, namespace: string, hostname: string): string[] {
  const hosts = [hostname];
  const service = serviceOfHost(mesh, hostname);
  if (service?.namespace === namespace) hosts.push(service.name);
  if (hostname === '*') return hosts;
  for (let start = hostname.startsWith('*') ? 2 : 1; start < hostname.length; start++) {
    if (hostname[start] === '.' || hostname[start] === '-') hosts.push(`*${hostname.slice(start)}`);
  }
  hosts.push('*');
  return hosts;
}

/** The forms in which others may have written the host of a service, as `VirtualServiceIndex.mentioning` takes them. */
export function writtenForms(mesh: MeshOptions, hostname: string): string[] {
  const service = serviceOfHost(mesh, hostname);
  if (service === undefined) return [hostname];
  const { namespace, name } = service;
  // The middle ones do not reach it, which those who wrote them are told.
  return [hostname, `${name}.${namespace}`, `${name}.${namespace}.svc`, `${namespace}/${name}`];
}
