/** What the API server refused to the person who installs, as a diagnosis. */
import { AmbitError } from '../base/errors.ts';
import type { KubeError } from '../kube/kube-error.ts';
import type { ResourceKind } from '../kube/resource-kind.ts';

export type InstallErrorCode = 'INSTALL_APPLY_FAILED' | 'INSTALL_DELETE_FAILED' | 'INSTALL_LIST_FAILED';

/** What was asked of the API server. */
export interface AskedRight {
  readonly verb: 'get' | 'list' | 'patch' | 'delete';
  readonly kind: ResourceKind;
  /** Empty: a cluster-scoped kind, or all namespaces. */
  readonly namespace: string;
}

/** @param what that could not be done: `configmap/istio cannot be deleted` */
export function apiFailure(
  code: InstallErrorCode,
  what: string,
  error: KubeError,
  asked: AskedRight,
): AmbitError<InstallErrorCode> {
  const hint = error.status === 403 ? `; your account lacks the right to ${rightText(asked)}` : '';
  return new AmbitError<InstallErrorCode>(code, `${what}: ${error.message}${hint}`, { cause: error });
}

function rightText({ verb, kind, namespace }: AskedRight): string {
  const where = namespace !== '' ? ` in namespace ${namespace}` : kind.namespaced ? ' in all namespaces' : '';
  return `${verb} ${kind.plural}${kind.group === '' ? '' : `.${kind.group}`}${where}`;
}
