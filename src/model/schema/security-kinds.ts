/** The kinds of security.istio.io (facts l7-and-control 3). */
import { AGE, ATTACHMENT, type KindSchema, ONE_ATTACHMENT, statusSchema } from './kind-schema.ts';
import { boolean, duration, list, map, nonEmptyText, object, oneOf, text } from './schema.ts';

const GROUP = 'security.istio.io';
const VERSIONS = ['v1', 'v1beta1'];
/** Of a policy, and items of `from` and `to` of a rule. */
export const MAX_RULES = 512;
/** Of a source. */
export const MAX_SERVICE_ACCOUNTS = 16;
const MAX_ACCOUNT_LENGTH = 320;
const PATTERNS = list(nonEmptyText);
const ACCOUNTS = list(
  { type: 'string', minLength: 1, maxLength: MAX_ACCOUNT_LENGTH },
  { maxItems: MAX_SERVICE_ACCOUNTS },
);

const SOURCE = object({
  principals: PATTERNS,
  notPrincipals: PATTERNS,
  requestPrincipals: PATTERNS,
  notRequestPrincipals: PATTERNS,
  namespaces: PATTERNS,
  notNamespaces: PATTERNS,
  serviceAccounts: ACCOUNTS,
  notServiceAccounts: ACCOUNTS,
  trustDomains: PATTERNS,
  notTrustDomains: PATTERNS,
  ipBlocks: PATTERNS,
  notIpBlocks: PATTERNS,
  remoteIpBlocks: PATTERNS,
  notRemoteIpBlocks: PATTERNS,
});
const OPERATION = object({
  hosts: PATTERNS,
  notHosts: PATTERNS,
  ports: PATTERNS,
  notPorts: PATTERNS,
  methods: PATTERNS,
  notMethods: PATTERNS,
  paths: PATTERNS,
  notPaths: PATTERNS,
});
const CONDITION = object({ key: text, values: PATTERNS, notValues: PATTERNS }, { required: ['key'] });
const RULE = object({
  from: list(object({ source: SOURCE }), { minItems: 1, maxItems: MAX_RULES }),
  to: list(object({ operation: OPERATION }), { minItems: 1, maxItems: MAX_RULES }),
  when: list(CONDITION),
});

export const AUTHORIZATION_POLICY_KIND: KindSchema = {
  group: GROUP,
  kind: 'AuthorizationPolicy',
  plural: 'authorizationpolicies',
  singular: 'authorizationpolicy',
  shortNames: ['ap'],
  versions: VERSIONS,
  columns: [{ name: 'Action', type: 'string', path: '.spec.action', description: 'What a matching rule does' }, AGE],
  spec: object(
    {
      ...ATTACHMENT,
      action: oneOf('ALLOW', 'DENY', 'AUDIT', 'CUSTOM'),
      rules: list(RULE, { maxItems: MAX_RULES }),
      provider: object({ name: text }),
    },
    { atMostOne: ONE_ATTACHMENT, description: 'Who may do what with the workloads that it is attached to.' },
  ),
  status: statusSchema(),
};

const MTLS = object({ mode: oneOf('UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT') });

export const PEER_AUTHENTICATION_KIND: KindSchema = {
  group: GROUP,
  kind: 'PeerAuthentication',
  plural: 'peerauthentications',
  singular: 'peerauthentication',
  shortNames: ['pa'],
  versions: VERSIONS,
  columns: [{ name: 'Mode', type: 'string', path: '.spec.mtls.mode', description: 'Which connections are taken' }, AGE],
  spec: object(
    { selector: ATTACHMENT.selector, mtls: MTLS, portLevelMtls: map(MTLS, { minEntries: 1 }) },
    { description: 'Whether workloads take connections without mutual TLS.' },
  ),
  status: statusSchema(),
};

const JWT_RULE = object(
  {
    issuer: text,
    audiences: list(nonEmptyText),
    jwksUri: { type: 'string', maxLength: 2048 },
    jwks: text,
    fromHeaders: list(object({ name: nonEmptyText, prefix: text }, { required: ['name'] })),
    fromParams: list(nonEmptyText),
    fromCookies: list(nonEmptyText),
    forwardOriginalToken: boolean,
    outputPayloadToHeader: text,
    outputClaimToHeaders: list(
      object({ header: nonEmptyText, claim: nonEmptyText }, { required: ['header', 'claim'] }),
    ),
    timeout: duration,
    spaceDelimitedClaims: list(nonEmptyText),
  },
  { atMostOne: [['jwksUri', 'jwks']] },
);

export const REQUEST_AUTHENTICATION_KIND: KindSchema = {
  group: GROUP,
  kind: 'RequestAuthentication',
  plural: 'requestauthentications',
  singular: 'requestauthentication',
  shortNames: ['ra'],
  versions: VERSIONS,
  columns: [AGE],
  spec: object(
    { ...ATTACHMENT, jwtRules: list(JWT_RULE, { maxItems: 4096 }) },
    { atMostOne: ONE_ATTACHMENT, description: 'Which tokens requests may carry.' },
  ),
  status: statusSchema(),
};
