/** Whether the account that asks may do what an installation needs. */
import { fail, ok, type Result } from '../base/result.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { ACCESS_REVIEWS } from '../kube/resource-kind.ts';
import { fieldsOf } from '../model/manifest/field-reader.ts';
import { type AccessRight, escalationRights, grantedRights, installRights } from './install-rights.ts';

/** The rights that are missing. Fails with why the API server did not say. */
export async function missingRights(
  client: KubeClient,
  namespace: string,
): Promise<Result<readonly AccessRight[], string>> {
  const own = await refused(client, installRights(namespace));
  if (!own.ok) return own;
  const escalation = await refused(client, escalationRights(namespace));
  if (!escalation.ok || escalation.value.length === 0) return escalation.ok ? own : escalation;
  const granted = await refused(client, grantedRights(namespace));
  return granted.ok ? ok([...own.value, ...granted.value]) : granted;
}

async function refused(
  client: KubeClient,
  rights: readonly AccessRight[],
): Promise<Result<readonly AccessRight[], string>> {
  const answers = await Promise.all(rights.map((right) => review(client, right)));
  const failure = answers.find((answer) => !answer.ok);
  if (failure?.ok === false) return failure;
  return ok(rights.filter((_, index) => answers[index]?.ok !== true || !answers[index].value));
}

async function review(client: KubeClient, right: AccessRight): Promise<Result<boolean, string>> {
  const [resource = '', subresource = ''] = right.resource.split('/');
  const answer = await client.create(ACCESS_REVIEWS, '', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { ...right, resource, subresource } },
  });
  if (!answer.ok) return fail(answer.error.message);
  return ok(fieldsOf(answer.value['status'])['allowed'] === true);
}
