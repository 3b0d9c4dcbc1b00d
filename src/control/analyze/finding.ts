/** What an analysis found, by the codes that `istioctl analyze` has (facts l7-and-control 9.7). */

export type FindingLevel = 'Error' | 'Warning' | 'Info';

export interface Finding {
  readonly code: FindingCode;
  readonly level: FindingLevel;
  /** Key of the object, as in the store; empty when it is not known. */
  readonly key: string;
  readonly message: string;
}

/** The codes that are given, with their names at Istio. */
export const CODES = {
  IST0101: 'ReferencedResourceNotFound',
  IST0106: 'SchemaValidationError',
  IST0109: 'ConflictingMeshGatewayVirtualServiceHosts',
  IST0112: 'VirtualServiceDestinationPortSelectorRequired',
  IST0118: 'PortNameIsNotUnderNamingConvention',
  IST0127: 'NoMatchingWorkloadsFound',
  IST0128: 'NoServerCertificateVerificationDestinationLevel',
  IST0129: 'NoServerCertificateVerificationPortLevel',
  IST0166: 'IneffectiveSelector',
  IST0167: 'IneffectivePolicy',
  IST0171: 'NegativeConditionStatus',
  IST0173: 'DestinationRuleSubsetNotSelectPods',
  IST0174: 'UnknownDestinationRuleHost',
} as const;

export type FindingCode = keyof typeof CODES;

const ORDER: readonly FindingLevel[] = ['Info', 'Warning', 'Error'];

/** Whether a level is as bad as another, or worse. */
export function isAtLeast(level: FindingLevel, threshold: FindingLevel): boolean {
  return ORDER.indexOf(level) >= ORDER.indexOf(threshold);
}
