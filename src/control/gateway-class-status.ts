/** The status of a GatewayClass of waypoints (facts l7-and-control 4.1). */
import { fieldsOf } from '../model/manifest/field-reader.ts';
import { mergeConditions } from './merge-conditions.ts';
import { conditionsOf } from './observed-conditions.ts';
import type { WantedCondition, WantedConditions } from './wanted-conditions.ts';

/** What passes the conformance suite (test/conformance), sorted as the Gateway API wants it. */
export const SUPPORTED_FEATURES: readonly string[] = [
  'GRPCRoute',
  'HTTPRoute',
  'HTTPRoute303RedirectStatusCode',
  'HTTPRoute307RedirectStatusCode',
  'HTTPRoute308RedirectStatusCode',
  'HTTPRouteParentRefPort',
  'HTTPRouteResponseHeaderModification',
  'Mesh',
  'MeshClusterIPMatching',
  'MeshConsumerRoute',
  'MeshHTTPRouteBackendRequestHeaderModification',
  'MeshHTTPRouteNamedRouteRule',
  'MeshHTTPRouteQueryParamMatching',
  'MeshHTTPRouteRedirectPath',
  'MeshHTTPRouteRedirectPort',
  'MeshHTTPRouteRewritePath',
  'MeshHTTPRouteSchemeRedirect',
];
/** Releases of the Gateway API that are read. */
const SUPPORTED_VERSION = /^v1\./;

/**
 * The status to write; undefined when the one that is there says the same.
 * @param bundleVersion of the CRDs; undefined when they do not say
 */
export function gatewayClassStatus(
  observed: unknown,
  generation: number,
  bundleVersion: string | undefined,
  now: string,
): object | undefined {
  const before = fieldsOf(observed);
  const wanted: WantedConditions = new Map([
    ['Accepted', { status: 'True', reason: 'Accepted', message: 'Handled by the control plane of ambit' }],
    ['SupportedVersion', supportedVersion(bundleVersion)],
  ]);
  const conditions = conditionsOf(before);
  const next = mergeConditions({ conditions, generation }, wanted, now);
  const features = SUPPORTED_FEATURES.map((name) => ({ name }));
  const sameFeatures = JSON.stringify(before['supportedFeatures']) === JSON.stringify(features);
  if (next === undefined && sameFeatures) return undefined;
  return { conditions: next ?? conditions, supportedFeatures: features };
}

function supportedVersion(bundleVersion: string | undefined): WantedCondition {
  if (bundleVersion !== undefined && SUPPORTED_VERSION.test(bundleVersion)) {
    return { status: 'True', reason: 'SupportedVersion', message: `Gateway API ${bundleVersion} is supported` };
  }
  const message =
    bundleVersion === undefined
      ? 'the CRDs of the Gateway API do not name their version; v1 is supported'
      : `Gateway API ${bundleVersion} is read as far as it is like v1`;
  return { status: 'False', reason: 'UnsupportedVersion', message };
}
