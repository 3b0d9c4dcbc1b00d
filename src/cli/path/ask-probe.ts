/** Asks a proxy to try a way. */
import { z } from 'zod';
import { errorText } from '../../base/errors.ts';
import type { MeshProxy } from '../../model/mesh-proxy.ts';
import { type ProbeReport, stepFailed } from '../../model/probe-step.ts';
import { ADMIN_PORT } from '../mesh/find-proxy.ts';
import { askProxy, type MeshAccess } from '../mesh/mesh-access.ts';

export interface AskedProbe {
  readonly pod?: string;
  readonly name?: string | undefined;
  readonly destination: { readonly ip: string; readonly port: number } | undefined;
}

/** Longer than the proxy takes at most. */
const TIMEOUT_MS = 30_000;
const reportSchema = z.object({
  next: z.string(),
  steps: z.array(
    z.object({
      step: z.enum(['dns', 'route', 'certificate', 'mtu', 'connect', 'handshake', 'request']),
      level: z.enum(['ok', 'warning', 'error']),
      text: z.string(),
      hint: z.string(),
    }),
  ),
});

/** Never rejects: a proxy that does not answer is a finding. */
export async function askProbe(
  access: MeshAccess,
  proxy: MeshProxy,
  { pod, name, destination }: AskedProbe,
): Promise<ProbeReport> {
  const query = new URLSearchParams();
  if (pod !== undefined) query.set('pod', pod);
  if (name !== undefined) query.set('name', name);
  if (destination !== undefined) {
    query.set('ip', destination.ip);
    query.set('port', String(destination.port));
  }
  try {
    const path = `/probe?${query}`;
    const { status, body } = await askProxy(access, proxy, { port: ADMIN_PORT, path, timeoutMs: TIMEOUT_MS });
    if (status === 200) return reportSchema.parse(JSON.parse(body.toString('utf8')));
    const text = body.toString('utf8').trim();
    // A refusal says what it refuses.
    if (status === 403) return failed(text, OUTSIDE_HINT);
    return failed(
      `it was answered with ${status}: ${text}`,
      status === 404 ? 'the proxy is of an older version' : status === 429 ? 'ask again in a moment' : HINT,
    );
  } catch (error) {
    return failed(errorText(error), HINT);
  }
}

/** Proxies try what is in the mesh alone: they are no scanners of networks. */
const OUTSIDE_HINT =
  'only Services, ServiceEntries and pods that the mesh knows are tried; ambit explain says what becomes of a call to others';
const HINT = 'ambit status says how the proxy is';

function failed(text: string, hint: string): ProbeReport {
  return { steps: [stepFailed('route', text, hint)], next: '' };
}
