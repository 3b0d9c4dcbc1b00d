/** The rules of RequestAuthentications, ready to be asked (facts l7-and-control 3.3). */
import type {
  ClaimHeader,
  JwtRuleObject,
  RequestAuthenticationObject,
} from '../model/manifest/request-authentication.ts';
import { type KeySet, parseKeySet } from './key-set.ts';
import { placesOf, type TokenPlaces } from './token-places.ts';

/** Where keys are fetched from. */
export interface RemoteKeys {
  readonly kind: 'remote';
  readonly url: string;
  /** Whether the URL is that of the issuer's metadata, which names the place of the keys. */
  readonly isDiscovery: boolean;
  readonly timeoutMs: number;
}

export type KeySource = RemoteKeys | { readonly kind: 'inline'; readonly keys: KeySet | undefined };

export interface JwtRule {
  /** Empty: any. */
  readonly issuer: string;
  /** Empty: any. */
  readonly audiences: readonly string[];
  readonly keys: KeySource;
  readonly places: TokenPlaces;
  readonly forwardsToken: boolean;
  /** Empty: none. */
  readonly payloadHeader: string;
  readonly claimHeaders: readonly ClaimHeader[];
  readonly splitClaims: readonly string[];
}

/** All rules that apply to a request, whatever policies they come from. */
export interface TokenRules {
  readonly rules: readonly JwtRule[];
  /** Headers that only these rules may set. */
  readonly ownHeaders: ReadonlySet<string>;
  /** Parameters that may hold tokens, and so are not written to logs. */
  readonly params: readonly string[];
}

const DISCOVERY_PATH = '/.well-known/openid-configuration';
const ALWAYS_SPLIT = ['scope', 'permission'];
/** What frames a request, or says whom it is for, is not for a token to write. */
const UNTOUCHABLE: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

export function compileJwtRules({ rules }: RequestAuthenticationObject): readonly JwtRule[] {
  return rules.map((rule) => ({
    issuer: rule.issuer,
    audiences: rule.audiences,
    keys: keySource(rule),
    places: placesOf(rule),
    forwardsToken: rule.forwardOriginalToken,
    payloadHeader: UNTOUCHABLE.has(rule.outputPayloadToHeader) ? '' : rule.outputPayloadToHeader,
    claimHeaders: rule.outputClaimToHeaders.filter(({ header }) => !UNTOUCHABLE.has(header)),
    splitClaims: [...new Set([...ALWAYS_SPLIT, ...rule.spaceDelimitedClaims])],
  }));
}

/** Puts the rules of all policies that apply together; undefined when there are none. */
export function poolRules(rules: readonly JwtRule[]): TokenRules | undefined {
  if (rules.length === 0) return undefined;
  const outputs = rules.flatMap(({ payloadHeader, claimHeaders }) => [
    payloadHeader,
    ...claimHeaders.map(({ header }) => header),
  ]);
  return {
    rules,
    ownHeaders: new Set(outputs.filter((name) => name !== '')),
    params: [...new Set(rules.flatMap(({ places }) => places.params))],
  };
}

function keySource({ jwks, jwksUri, issuer, timeoutMs }: JwtRuleObject): KeySource {
  if (jwks !== '') return { kind: 'inline', keys: parseKeySet(jwks) };
  if (jwksUri !== '') return { kind: 'remote', url: jwksUri, isDiscovery: false, timeoutMs };
  return { kind: 'remote', url: issuer.replace(/\/$/, '') + DISCOVERY_PATH, isDiscovery: true, timeoutMs };
}
