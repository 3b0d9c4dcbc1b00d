/** What somebody else may do, as the API server says (SubjectAccessReview of authorization.k8s.io/v1). */
import { ok, type Result } from '../base/result.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import type { KubeClient } from './kube-client.ts';
import type { KubeError } from './kube-error.ts';
import { type ResourceKind, SUBJECT_ACCESS_REVIEWS } from './resource-kind.ts';
import type { ReviewedUser } from './token-review.ts';

export interface AskedRight {
  readonly verb: string;
  readonly kind: ResourceKind;
  /** Empty: in all namespaces. */
  readonly namespace: string;
}

const TIMEOUT_MS = 10_000;

/** @param user as a review of the token told: all of it, as authorizers look at groups and more */
export async function reviewAccess(
  client: KubeClient,
  user: ReviewedUser,
  { verb, kind, namespace }: AskedRight,
): Promise<Result<boolean, KubeError>> {
  const { name, uid, groups, extra } = user;
  const resourceAttributes = { verb, group: kind.group, resource: kind.plural, namespace };
  const body = { metadata: {}, spec: { user: name, uid, groups, extra, resourceAttributes } };
  const answer = await client.create(SUBJECT_ACCESS_REVIEWS, '', body, { timeoutMs: TIMEOUT_MS });
  if (!answer.ok) return answer;
  const { allowed, denied } = fieldsOf(answer.value['status']);
  return ok(allowed === true && denied !== true);
}
