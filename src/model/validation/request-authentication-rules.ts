/** The semantic rules of RequestAuthentication (facts l7-and-control 3.3, 9.4). */
import { type FieldReader, isRecord, type ReportProblem } from '../manifest/field-reader.ts';
import { readPolicyAttachment } from '../manifest/target-refs.ts';
import { checkDuration, headerNameProblem, quoted } from './value-rules.ts';

/** Headers that claims are written to. */
const CLAIM_HEADER = /^[-_A-Za-z0-9]+$/;
/** Members of a JWK that only the owner of the key has (RFC 7518 6.2.2, 6.3.2, 6.4.1). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

export function checkRequestAuthentication(spec: FieldReader, warn: ReportProblem): void {
  readPolicyAttachment(spec);
  for (const rule of spec.children('jwtRules')) {
    const uri = rule.string('jwksUri') ?? '';
    if ((rule.string('issuer') ?? '') === '' && uri === '') rule.report('issuer', 'is required without jwksUri');
    const problem = uri === '' ? undefined : uriProblem(uri);
    if (problem !== undefined) rule.report('jwksUri', problem);
    checkJwks(rule, warn);
    checkLocations(rule);
    checkDuration(rule, 'timeout');
  }
}

function uriProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') return `${quoted(text)} is not a URL`;
  const isHttp = url.protocol === 'http:' || url.protocol === 'https:';
  return isHttp ? undefined : `must be an http or https URL, is ${quoted(text)}`;
}

function checkJwks(rule: FieldReader, warn: ReportProblem): void {
  const text = rule.string('jwks') ?? '';
  if (text === '') return;
  const keys = keysOf(text);
  if (keys === undefined) rule.report('jwks', 'is not a JWK set: {"keys": [...]}, each with its kty (RFC 7517)');
  else if (keys.some((key) => PRIVATE_MEMBERS.some((name) => Object.hasOwn(key, name)))) {
    warn([...rule.path, 'jwks'], 'holds a private key: whoever can read this object can sign tokens');
  }
}

function keysOf(text: string): Readonly<Record<string, unknown>>[] | undefined {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    // What cannot be parsed is no set of keys, which is all that is asked here.
    return undefined;
  }
  const keys: unknown = isRecord(set) ? set['keys'] : undefined;
  if (!Array.isArray(keys)) return undefined;
  const records = keys.filter(isRecord).filter((key) => typeof key['kty'] === 'string');
  return records.length === keys.length ? records : undefined;
}

/** Where tokens are found, and where their claims go. */
function checkLocations(rule: FieldReader): void {
  for (const header of rule.children('fromHeaders')) reportName(header, 'name');
  const payload = rule.string('outputPayloadToHeader') ?? '';
  if (payload !== '') reportName(rule, 'outputPayloadToHeader');
  for (const output of rule.children('outputClaimToHeaders')) {
    const header = output.string('header') ?? '';
    if (header !== '' && !CLAIM_HEADER.test(header)) {
      output.report('header', `${quoted(header)} must have letters, digits, "-" and "_" only`);
    }
  }
}

function reportName(reader: FieldReader, name: string): void {
  const text = reader.string(name);
  const problem = text === undefined ? undefined : headerNameProblem(text);
  if (problem !== undefined) reader.report(name, problem);
}
