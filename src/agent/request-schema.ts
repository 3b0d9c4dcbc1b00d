/** The bodies of the agent's HTTP interface: parsed, bounded, with errors that name the field. */
import { AmbitError, errorText } from '../base/errors.ts';
import { parseIpAddress } from '../model/address.ts';
import type { AgentPod } from '../model/agent-pod.ts';
import { FieldReader } from '../model/manifest/field-reader.ts';
import { formatFieldPath } from '../model/manifest/manifest-problem.ts';

/** ZDS packets have 1024 bytes for uid and names; Kubernetes names have at most 253. */
const MAX_NAME_CHARS = 253;
const MAX_PATH_CHARS = 4096;
const MAX_IPS = 32;
const MAX_ANNOTATIONS = 1024;
const POD_FIELDS = ['uid', 'name', 'namespace', 'serviceAccount', 'netns', 'ips', 'annotations'];

/** What the CNI plugin says about a new pod. */
export interface CmdAdd {
  readonly netns: string;
  readonly name: string;
  readonly namespace: string;
  /** Only newer container runtimes say it, and Istio's plugin never does. */
  readonly uid: string | undefined;
  readonly ips: readonly string[];
}

/**
 * The body of `POST /pods`.
 * @throws AmbitError REQUEST_INVALID that names every wrong field
 */
export function parsePod(body: string): AgentPod {
  return parse(body, (fields) => {
    fields.onlyKnown(POD_FIELDS);
    return {
      uid: nameField(fields, 'uid'),
      name: nameField(fields, 'name'),
      namespace: nameField(fields, 'namespace'),
      serviceAccount: nameField(fields, 'serviceAccount'),
      netns: pathField(fields, 'netns'),
      ips: bounded(
        fields,
        'ips',
        fields.strings('ips').map((text, index) => ip(fields, text, ['ips', index])),
      ),
      annotations: annotationsField(fields),
    };
  });
}

/**
 * The body of `POST /cmdadd`: Go's JSON of the CNI result, keys capitalised, more keys possible (facts ztunnel-wire
 * 3.5); `PodUID` is ambit's own addition.
 * @throws AmbitError REQUEST_INVALID
 */
export function parseCmdAdd(body: string): CmdAdd {
  return parse(body, (fields) => ({
    netns: pathField(fields, 'Netns'),
    name: nameField(fields, 'PodName'),
    namespace: nameField(fields, 'PodNamespace'),
    uid: fields.has('PodUID') ? nameField(fields, 'PodUID') : undefined,
    ips: bounded(fields, 'IPs', fields.children('IPs').map(cmdAddIp)),
  }));
}

function cmdAddIp(entry: FieldReader): string {
  const address = entry.child('Address');
  const text = address.required('IP');
  if (text !== '' && parseIpAddress(text) === undefined) address.report('IP', 'must be an IP address');
  return text;
}

function parse<T>(body: string, read: (fields: FieldReader) => T): T {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw new AmbitError('REQUEST_INVALID', `the body is not JSON: ${errorText(cause)}`, { side: 'downstream', cause });
  }
  const problems: string[] = [];
  const fields = new FieldReader(json ?? undefined, [], (path, reason) => {
    problems.push(`${formatFieldPath(path) || 'body'}: ${reason}`);
  });
  const value = read(fields);
  if (problems.length === 0) return value;
  throw new AmbitError('REQUEST_INVALID', problems.join('; '), { side: 'downstream' });
}

function nameField(fields: FieldReader, field: string): string {
  const text = fields.required(field);
  if (text.length > MAX_NAME_CHARS) fields.report(field, `must have at most ${MAX_NAME_CHARS} characters`);
  return text;
}

function pathField(fields: FieldReader, field: string): string {
  const text = fields.required(field);
  if (text !== '' && !text.startsWith('/')) fields.report(field, 'must be an absolute path');
  if (text.length > MAX_PATH_CHARS) fields.report(field, `must have at most ${MAX_PATH_CHARS} characters`);
  return text;
}

function ip(fields: FieldReader, text: string, [name, index]: readonly [string, number]): string {
  if (parseIpAddress(text) === undefined) fields.report(`${name}[${index}]`, 'must be an IP address');
  return text;
}

function bounded(fields: FieldReader, field: string, ips: readonly string[]): readonly string[] {
  if (ips.length === 0) fields.report(field, 'must name an IP address');
  if (ips.length > MAX_IPS) fields.report(field, `must have at most ${MAX_IPS} entries`);
  return ips;
}

function annotationsField(fields: FieldReader): Readonly<Record<string, string>> {
  const map = fields.stringMap('annotations');
  if (map.size > MAX_ANNOTATIONS) fields.report('annotations', `must have at most ${MAX_ANNOTATIONS} entries`);
  return Object.fromEntries(map);
}
