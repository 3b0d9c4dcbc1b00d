/** Roles as an API server holds requests against them. */
import type { RenderedObject } from '../../src/install/render-install.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

/**
 * Whether an account may make a request.
 * @param objects of an installation
 * @param account name of its ServiceAccount, ClusterRole and Role
 * @param request `GET /api/v1/pods?limit=500`
 */
export function isAllowed(
  objects: readonly RenderedObject[],
  account: string,
  namespace: string,
  request: string,
): boolean {
  const asked = readRequest(request);
  return objects.some((object) => {
    if (object.metadata.name !== account) return false;
    if (object.kind !== 'ClusterRole' && (object.kind !== 'Role' || asked.namespace !== namespace)) return false;
    return (object['rules'] as readonly Rule[]).some((rule) => allows(rule, asked));
  });
}

type Asked = ReturnType<typeof readRequest>;

function allows({ apiGroups, resources, verbs, resourceNames }: Rule, asked: Asked): boolean {
  if (!apiGroups.includes(asked.group) || !resources.includes(asked.resource) || !verbs.includes(asked.verb)) {
    return false;
  }
  return resourceNames === undefined || resourceNames.includes(asked.name);
}

/** The name of a list or watch is that of its field selector, as in RequestInfoFactory of k8s.io/apiserver. */
function readRequest(request: string) {
  const [method = '', target = ''] = request.split(' ');
  const url = new URL(target, 'https://localhost');
  const parts = url.pathname.split('/').slice(1);
  const group = parts.shift() === 'api' ? '' : (parts.shift() ?? '');
  parts.shift();
  const namespace = parts[0] === 'namespaces' && parts.length > 2 ? parts.splice(0, 2)[1] : '';
  const [plural = '', name = '', subresource = ''] = parts;
  const selected = /^metadata\.name=([^,]+)$/.exec(url.searchParams.get('fieldSelector') ?? '')?.[1] ?? '';
  const reading = url.searchParams.get('watch') === 'true' ? 'watch' : name === '' ? 'list' : 'get';
  return {
    group,
    namespace,
    resource: subresource === '' ? plural : `${plural}/${subresource}`,
    name: method === 'GET' && name === '' ? selected : name,
    verb: VERBS[method] ?? reading,
  };
}
