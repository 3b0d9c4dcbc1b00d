/** What a control plane feeds to proxies, for commands that decide as these do: of a running one, or built from a folder. */
import { z } from 'zod';
import { AmbitError, errorText } from '../../base/errors.ts';
import { proxyName } from '../../model/mesh-proxy.ts';
import type { ReceivedResource } from '../../xds/client/delta-client.ts';
import { askJson, type MeshAccess } from '../mesh/mesh-access.ts';

/** By type URL. */
export type FeedResources = ReadonlyMap<string, readonly ReceivedResource[]>;

const schema = z.record(z.string(), z.record(z.string(), z.string()));

/** Of the first control plane that answers: all have the same. @throws AmbitError CONTROL_UNREACHABLE */
export async function controlResources(access: MeshAccess): Promise<FeedResources> {
  const controls = (await access.proxies()).filter(({ role }) => role === 'control');
  const failures: string[] = [];
  for (const control of controls) {
    try {
      const types = schema.parse(await askJson(access, control, access.controlPort, '/debug/resourcesz'));
      return new Map(
        Object.entries(types).map(([typeUrl, entries]) => [typeUrl, Object.entries(entries).map(received)]),
      );
    } catch (error) {
      failures.push(`${proxyName(control)}: ${errorText(error)}`);
    }
  }
  const why = failures.length === 0 ? 'there is none' : failures.join('; ');
  throw new AmbitError(
    'CONTROL_UNREACHABLE',
    `${access.where}: no control plane says what it feeds to proxies: ${why}`,
  );
}

function received([name, value]: readonly [string, string]): ReceivedResource {
  return { name, version: '', aliases: [], bytes: Buffer.from(value, 'base64') };
}
