/** The service that an extension provider of MeshConfig names, and how long it may take. */
import { parseDurationMs } from '../base/duration.ts';
import type { FieldReader } from './manifest/field-reader.ts';
import { isHostname } from './manifest/hostname.ts';
import { isNamespaceName } from './manifest/object-meta.ts';

/** `service`, as `[namespace/]host`. Reports what is neither. */
export function readProviderService(fields: FieldReader): { readonly namespace: string; readonly hostname: string } {
  const service = fields.required('service').toLowerCase();
  const slash = service.indexOf('/');
  const namespace = slash < 0 ? '' : service.slice(0, slash);
  const hostname = service.slice(slash + 1);
  const isNamed = isHostname(hostname, false) && (slash < 0 || isNamespaceName(namespace));
  if (service !== '' && !isNamed) fields.report('service', `"${service}" is not HOST or NAMESPACE/HOST`);
  return { namespace, hostname };
}

/**
 * `timeout`, in milliseconds. Reports what is no duration from 1 ms to the limit.
 *
 * @param defaultMs where none is given
 */
export function readProviderTimeout(fields: FieldReader, defaultMs: number, maxMs: number): number {
  const text = fields.string('timeout');
  if (text === undefined) return defaultMs;
  const timeoutMs = parseDurationMs(text) ?? 0;
  if (timeoutMs < 1 || timeoutMs > maxMs) fields.report('timeout', `"${text}" is no duration such as 5s`);
  return Math.round(timeoutMs);
}
