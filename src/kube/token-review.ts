/** Whose token it is, as the API server says (TokenReview of authentication.k8s.io/v1). */
import { ok, type Result } from '../base/result.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import type { KubeClient } from './kube-client.ts';
import type { KubeError } from './kube-error.ts';
import { TOKEN_REVIEWS } from './resource-kind.ts';

export interface ReviewedUser {
  /** `system:serviceaccount:<namespace>:<name>`, or what an identity provider calls a person. */
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export type ReviewedToken =
  | {
      readonly isAuthenticated: true;
      readonly user: ReviewedUser;
      /** Those that were asked for and that the token has; undefined where the server knows none. */
      readonly audiences: readonly string[] | undefined;
    }
  | { readonly isAuthenticated: false; readonly reason: string };

const TIMEOUT_MS = 10_000;

/** @param audiences undefined: those of the API server itself */
export async function reviewToken(
  client: KubeClient,
  token: string,
  audiences?: readonly string[],
): Promise<Result<ReviewedToken, KubeError>> {
  const body = { metadata: {}, spec: { token, ...(audiences === undefined ? {} : { audiences }) } };
  const answer = await client.create(TOKEN_REVIEWS, '', body, { timeoutMs: TIMEOUT_MS });
  if (!answer.ok) return answer;
  const status = fieldsOf(answer.value['status']);
  const { authenticated, error } = status;
  if (authenticated !== true) {
    return ok({ isAuthenticated: false, reason: typeof error === 'string' ? error : 'not authenticated' });
  }
  const known = status['audiences'];
  const user = userOf(fieldsOf(status['user']));
  return ok({ isAuthenticated: true, user, audiences: Array.isArray(known) ? textsOf(known) : undefined });
}

function userOf({ username, uid, groups, extra }: Readonly<Record<string, unknown>>): ReviewedUser {
  return {
    name: typeof username === 'string' ? username : '',
    uid: typeof uid === 'string' ? uid : '',
    groups: textsOf(groups),
    extra: Object.fromEntries(Object.entries(fieldsOf(extra)).map(([key, values]) => [key, textsOf(values)])),
  };
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
