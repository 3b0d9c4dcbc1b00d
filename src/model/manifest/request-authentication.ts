/** RequestAuthentication (security.istio.io; facts l7-and-control 3.3). */
import { REQUEST_AUTHENTICATION_KIND } from '../schema/security-kinds.ts';
import { durationMs } from '../validation/value-rules.ts';
import { readCheckedSpec } from './checked-spec.ts';
import { FieldReader } from './field-reader.ts';
import type { Labels, ObjectMeta } from './object-meta.ts';
import { readPolicyAttachment, type TargetRef } from './target-refs.ts';

/** A header that a token may come in. */
export interface TokenHeader {
  /** In lower case. */
  readonly name: string;
  /** What stands before the token, blanks included; may be empty. */
  readonly prefix: string;
}

/** A header that a claim goes to. */
export interface ClaimHeader {
  /** In lower case. */
  readonly header: string;
  /** May name a member of an object: `a.b.c`. */
  readonly claim: string;
}

/** Empty texts and lists stand for what is not given. */
export interface JwtRuleObject {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly jwksUri: string;
  /** A set of keys, as JSON. */
  readonly jwks: string;
  readonly fromHeaders: readonly TokenHeader[];
  readonly fromParams: readonly string[];
  readonly fromCookies: readonly string[];
  readonly forwardOriginalToken: boolean;
  /** In lower case. */
  readonly outputPayloadToHeader: string;
  readonly outputClaimToHeaders: readonly ClaimHeader[];
  /** Of a fetch of keys. */
  readonly timeoutMs: number;
  readonly spaceDelimitedClaims: readonly string[];
}

export interface RequestAuthenticationObject {
  readonly kind: 'RequestAuthentication';
  readonly meta: ObjectMeta;
  readonly selector: Labels | undefined;
  /** Set when the policy is for waypoints and gateways. */
  readonly targets: readonly TargetRef[] | undefined;
  /** The spec as it was written, for the waypoints that read it again. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly rules: readonly JwtRuleObject[];
}

/** Of a fetch of keys. */
const DEFAULT_TIMEOUT_MS = 5_000;

export function readRequestAuthentication(meta: ObjectMeta, root: FieldReader): RequestAuthenticationObject {
  // What is wrong is reported by now.
  const spec = new FieldReader(readCheckedSpec(REQUEST_AUTHENTICATION_KIND, root), ['spec'], () => undefined);
  const rules = spec.children('jwtRules').map(readRule);
  return { kind: 'RequestAuthentication', meta, ...readPolicyAttachment(spec), written: spec.fields, rules };
}

function readRule(rule: FieldReader): JwtRuleObject {
  return {
    issuer: rule.string('issuer') ?? '',
    audiences: rule.strings('audiences'),
    jwksUri: rule.string('jwksUri') ?? '',
    jwks: rule.string('jwks') ?? '',
    fromHeaders: rule.children('fromHeaders').map((header) => ({
      name: (header.string('name') ?? '').toLowerCase(),
      prefix: header.string('prefix') ?? '',
    })),
    fromParams: rule.strings('fromParams'),
    fromCookies: rule.strings('fromCookies'),
    forwardOriginalToken: rule.boolean('forwardOriginalToken') ?? false,
    outputPayloadToHeader: (rule.string('outputPayloadToHeader') ?? '').toLowerCase(),
    outputClaimToHeaders: rule.children('outputClaimToHeaders').map((output) => ({
      header: (output.string('header') ?? '').toLowerCase(),
      claim: output.string('claim') ?? '',
    })),
    timeoutMs: durationMs(rule, 'timeout') ?? DEFAULT_TIMEOUT_MS,
    spaceDelimitedClaims: rule.strings('spaceDelimitedClaims'),
  };
}
