/** `ambit log-level`: reads or sets what a proxy logs, until it starts again. */
import { AmbitError } from '../../base/errors.ts';
import { proxyName } from '../../model/mesh-proxy.ts';
import { FILTER_LEVELS } from '../../telemetry/log-filter.ts';
import { findMesh, type MeshFlags } from '../mesh/find-mesh.ts';
import { ADMIN_PORT, findProxy, needAdmin } from '../mesh/find-proxy.ts';
import { askProxy } from '../mesh/mesh-access.ts';
import { printLine } from '../print-line.ts';

export interface LogLevelFlags extends MeshFlags {
  readonly reset: boolean;
}

/** @throws AmbitError LOG_LEVEL_REFUSED with what levels there are */
export async function runLogLevel(
  name: string,
  level: string | undefined,
  flags: LogLevelFlags,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const access = await findMesh(flags, environment);
  try {
    const proxy = needAdmin(findProxy(await access.proxies(), name));
    const query = new URLSearchParams();
    if (flags.reset) query.set('reset', '');
    if (level !== undefined) query.set('level', level);
    const { status, body } = await askProxy(access, proxy, {
      port: ADMIN_PORT,
      path: `/logging?${query.toString()}`,
      method: 'POST',
    });
    const text = body.toString('utf8').trim();
    if (status === 200) return printLine(text);
    // Below its first line is how to ask the endpoint itself.
    const [reason = ''] = text.split('\n');
    const hint = `levels are ${FILTER_LEVELS.join(', ')}, of all or as SCOPE=LEVEL,SCOPE=LEVEL`;
    throw new AmbitError('LOG_LEVEL_REFUSED', `${proxyName(proxy)} does not take it: ${reason}; ${hint}`);
  } finally {
    access.close();
  }
}
