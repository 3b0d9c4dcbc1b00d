/** The bodies of the agent's HTTP interface: parsed, bounded, with errors that name the field. */
import { z } from 'zod';
import { AmbitError, errorText } from '../base/errors.ts';
import { parseIpAddress } from '../model/address.ts';
import type { Pod } from './pod.ts';

/** ZDS packets have 1024 bytes for uid and names; Kubernetes names have at most 253. */
const MAX_NAME_CHARS = 253;
const MAX_PATH_CHARS = 4096;
const MAX_IPS = 32;
const MAX_ANNOTATIONS = 1024;

const name = z.string().min(1).max(MAX_NAME_CHARS);
const path = z.string().min(1).max(MAX_PATH_CHARS).startsWith('/', 'must be an absolute path');
const ip = z.string().refine((text) => parseIpAddress(text) !== undefined, 'must be an IP address');

const podSchema = z.strictObject({
  uid: name,
  name,
  namespace: name,
  serviceAccount: name,
  netns: path,
  ips: z.array(ip).min(1).max(MAX_IPS),
  annotations: z
    .record(z.string(), z.string())
    .refine((map) => Object.keys(map).length <= MAX_ANNOTATIONS, `must have at most ${MAX_ANNOTATIONS} entries`)
    .default({}),
});

/** Go's JSON of the CNI result: keys capitalised, more keys possible (facts ztunnel-wire 3.5). */
const cmdAddSchema = z.object({
  Netns: path,
  PodName: name,
  PodNamespace: name,
  IPs: z
    .array(z.object({ Address: z.object({ IP: ip }) }))
    .min(1)
    .max(MAX_IPS),
});

/** What the CNI plugin says about a new pod. */
export interface CmdAdd {
  readonly netns: string;
  readonly name: string;
  readonly namespace: string;
  readonly ips: readonly string[];
}

function parse<T>(schema: z.ZodType<T>, body: string): T {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw new AmbitError('REQUEST_INVALID', `the body is not JSON: ${errorText(cause)}`, { side: 'downstream', cause });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
  throw new AmbitError('REQUEST_INVALID', problems.join('; '), { side: 'downstream' });
}

/**
 * The body of `POST /pods`.
 * @throws AmbitError REQUEST_INVALID that names every wrong field
 */
export function parsePod(body: string): Pod {
  return parse(podSchema, body);
}

/**
 * The body of `POST /cmdadd`.
 * @throws AmbitError REQUEST_INVALID
 */
export function parseCmdAdd(body: string): CmdAdd {
  const { Netns, PodName, PodNamespace, IPs } = parse(cmdAddSchema, body);
  return { netns: Netns, name: PodName, namespace: PodNamespace, ips: IPs.map(({ Address }) => Address.IP) };
}
