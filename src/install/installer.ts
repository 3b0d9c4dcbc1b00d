/**
 * Brings the objects of an installation to an API server and takes them away again. Everything is idempotent: what
 * broke off half-way is finished by running it once more.
 */
import { AmbitError } from '../base/errors.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { CONFIG_MAPS, NAMESPACES, type ResourceKind } from '../kube/resource-kind.ts';
import { kindOfObject, kubectlName, OWNED_KINDS } from './install-kinds.ts';
import { PART_OF_SELECTOR } from './objects/common.ts';
import type { RenderedObject } from './render-install.ts';

export type InstallErrorCode = 'INSTALL_APPLY_FAILED' | 'INSTALL_DELETE_FAILED' | 'INSTALL_LIST_FAILED';

export interface InstallerDeps {
  readonly client: KubeClient;
  /** One line of progress. */
  readonly report: (line: string) => void;
}

const FIELD_MANAGER = 'ambit-install';
/** By this label the control plane marks the root certificates that it lays into namespaces. */
const ROOT_CONFIG_MAP_SELECTOR = 'istio.io/config=true';

export class Installer {
  readonly #client: KubeClient;
  readonly #report: (line: string) => void;

  constructor(deps: InstallerDeps) {
    this.#client = deps.client;
    this.#report = deps.report;
  }

  /** Applies the objects in their order. @throws AmbitError INSTALL_APPLY_FAILED that names the object */
  async apply(objects: readonly RenderedObject[]): Promise<void> {
    for (const object of objects) await this.#applyOne(object);
  }

  /** Deletes what an earlier version had and this one has not. @throws AmbitError */
  async prune(objects: readonly RenderedObject[]): Promise<void> {
    const kept = new Set(objects.map((object) => identity(kindOfObject(object), object.metadata)));
    for (const kind of OWNED_KINDS) {
      for (const object of await this.#owned(kind)) {
        if (!kept.has(identity(kind, object.metadata))) await this.delete(kind, object);
      }
    }
  }

  /** Deletes everything of a kind that belongs to the installation. @returns how many there were */
  async deleteOwned(kind: ResourceKind): Promise<number> {
    const objects = await this.#owned(kind);
    for (const object of objects) await this.delete(kind, object);
    return objects.length;
  }

  /** Deletes the root certificates in all namespaces. @returns how many there were */
  async deleteRootConfigMaps(): Promise<number> {
    const found = await this.#list(CONFIG_MAPS, ROOT_CONFIG_MAP_SELECTOR);
    for (const object of found) await this.delete(CONFIG_MAPS, object, false);
    return found.length;
  }

  /** @throws AmbitError INSTALL_DELETE_FAILED; an object that is gone already is none */
  async delete(kind: ResourceKind, object: KubeObject, announce = true): Promise<void> {
    const { name, namespace = '' } = object.metadata;
    const answer = await this.#client.delete(kind, namespace, name, { propagationPolicy: 'Background' });
    if (!answer.ok && answer.error.status !== 404) {
      throw failed('INSTALL_DELETE_FAILED', `${kubectlName(kind, name)} cannot be deleted`, answer.error);
    }
    if (announce) this.#report(`${kubectlName(kind, name)} deleted`);
  }

  async #applyOne(object: RenderedObject): Promise<void> {
    const kind = kindOfObject(object);
    const { name, namespace = '' } = object.metadata;
    const before = await this.#client.get(kind, namespace, name);
    const answer = await this.#client.patch(kind, namespace, name, {
      type: 'apply',
      body: object,
      fieldManager: FIELD_MANAGER,
      force: true,
    });
    const title = kubectlName(kind, name);
    if (!answer.ok) throw failed('INSTALL_APPLY_FAILED', `${title} cannot be applied`, answer.error);
    this.#report(`${title} ${changeOf(before.ok ? before.value : undefined, answer.value)}`);
  }

  #owned(kind: ResourceKind): Promise<readonly KubeObject[]> {
    return this.#list(kind, PART_OF_SELECTOR);
  }

  async #list(kind: ResourceKind, labelSelector: string): Promise<readonly KubeObject[]> {
    const answer = await this.#client.listAll(kind, { labelSelector });
    if (answer.ok) return answer.value;
    if (answer.error.status === 404) return [];
    throw failed('INSTALL_LIST_FAILED', `${kind.plural} cannot be listed`, answer.error);
  }
}

/** Whether a namespace exists. @throws AmbitError INSTALL_LIST_FAILED when the API server does not say */
export async function namespaceExists(client: KubeClient, name: string): Promise<boolean> {
  const answer = await client.get(NAMESPACES, '', name);
  if (!answer.ok && answer.error.status !== 404) {
    throw failed('INSTALL_LIST_FAILED', `namespace ${name} cannot be read`, answer.error);
  }
  return answer.ok;
}

function changeOf(before: KubeObject | undefined, after: KubeObject): string {
  if (before === undefined) return 'created';
  return before.metadata.resourceVersion === after.metadata.resourceVersion ? 'unchanged' : 'configured';
}

function identity(
  kind: ResourceKind,
  metadata: { readonly name: string; readonly namespace?: string | undefined },
): string {
  return `${kind.group}/${kind.kind}/${metadata.namespace ?? ''}/${metadata.name}`;
}

function failed(code: InstallErrorCode, what: string, error: KubeError): AmbitError<InstallErrorCode> {
  const hint = error.status === 403 ? '; your account lacks this right: see kubectl auth can-i --list' : '';
  return new AmbitError<InstallErrorCode>(code, `${what}: ${error.message}${hint}`, { cause: error });
}
