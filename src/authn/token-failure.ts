/** Why a token is refused, in the words that clients of the mesh know (facts l7-and-control 3.3, 10.4). */
export const TOKEN_FAILURES = {
  format: 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
  headerEncoding: 'Jwt header is an invalid Base64url encoded',
  headerJson: 'Jwt header is an invalid JSON',
  algMissing: 'Jwt header [alg] field is required and must be a string',
  algUnknown: 'Jwt header [alg] is not supported',
  kidType: 'Jwt header [kid] field is not a string',
  payloadEncoding: 'Jwt payload is an invalid Base64url encoded',
  payloadJson: 'Jwt payload is an invalid JSON',
  issuerType: 'Jwt payload [iss] field is not a string',
  subjectType: 'Jwt payload [sub] field is not a string',
  audienceType: 'Jwt payload [aud] field is not a string or string list',
  expiryType: 'Jwt payload [exp] field is not an integer',
  notBeforeType: 'Jwt payload [nbf] field is not an integer',
  signatureEncoding: 'Jwt signature is an invalid Base64url encoded',
  issuer: 'Jwt issuer is not configured',
  notYet: 'Jwt not yet valid',
  expired: 'Jwt is expired',
  audience: 'Audiences in Jwt are not allowed',
  keysMissing: 'Jwks remote fetch is failed',
  noKey: "Jwks doesn't have key to match kid or alg from Jwt",
  signature: 'Jwt verification fails',
} as const;

export type TokenFailure = keyof typeof TOKEN_FAILURES;

/** Of several rules, the one that knows the issuer says most. */
export function mostTelling(failures: readonly TokenFailure[]): TokenFailure {
  return failures.find((failure) => failure !== 'issuer') ?? failures[0] ?? 'issuer';
}
