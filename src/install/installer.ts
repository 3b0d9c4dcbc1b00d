/**
 * Brings the objects of an installation to an API server and takes them away again. Everything is idempotent: what
 * broke off half-way is finished by running it once more.
 */
import type { KubeClient, ListOptions } from '../kube/kube-client.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { CONFIG_MAPS, type ResourceKind } from '../kube/resource-kind.ts';
import { ROOT_CONFIG_MAP, ROOT_CONFIG_MAP_LABELS } from '../model/installed-names.ts';
import { apiFailure } from './api-failure.ts';
import { kindOfObject, kubectlName, OWNED_KINDS } from './install-kinds.ts';
import { PART_OF_SELECTOR } from './objects/common.ts';
import { FIELD_MANAGER, type Installation, isOwnObject } from './ownership.ts';
import type { RenderedObject } from './render-install.ts';

export interface InstallerDeps {
  readonly client: KubeClient;
  /** One line of progress. */
  readonly report: (line: string) => void;
}

/** Name and label by which the control plane lays root certificates into namespaces. */
const ROOT_CONFIG_MAPS = {
  fieldSelector: `metadata.name=${ROOT_CONFIG_MAP}`,
  labelSelector: Object.entries(ROOT_CONFIG_MAP_LABELS)
    .map(([label, value]) => `${label}=${value}`)
    .join(','),
};

export class Installer {
  readonly #installation: Installation;
  readonly #client: KubeClient;
  readonly #report: (line: string) => void;

  /** @param installation whose objects are pruned and deleted */
  constructor(installation: Installation, deps: InstallerDeps) {
    this.#installation = installation;
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

  /**
   * Deletes everything of a kind that belongs to the installation.
   * @param kept names that stay
   * @returns how many there were
   */
  async deleteOwned(kind: ResourceKind, kept: readonly string[] = []): Promise<number> {
    const objects = (await this.#owned(kind)).filter(({ metadata }) => !kept.includes(metadata.name));
    for (const object of objects) await this.delete(kind, object);
    return objects.length;
  }

  /** Deletes the root certificates in all namespaces. @returns how many there were */
  async deleteRootConfigMaps(): Promise<number> {
    const found = await this.#list(CONFIG_MAPS, ROOT_CONFIG_MAPS);
    for (const object of found) await this.delete(CONFIG_MAPS, object, false);
    return found.length;
  }

  /** @throws AmbitError INSTALL_DELETE_FAILED; an object that is gone already is none */
  async delete(kind: ResourceKind, object: KubeObject, announce = true): Promise<void> {
    const { name, namespace = '' } = object.metadata;
    const answer = await this.#client.delete(kind, namespace, name, { propagationPolicy: 'Background' });
    if (!answer.ok && answer.error.status !== 404) {
      const asked = { verb: 'delete', kind, namespace } as const;
      throw apiFailure('INSTALL_DELETE_FAILED', `${kubectlName(kind, name)} cannot be deleted`, answer.error, asked);
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
    if (!answer.ok) {
      const asked = { verb: 'patch', kind, namespace } as const;
      throw apiFailure('INSTALL_APPLY_FAILED', `${title} cannot be applied`, answer.error, asked);
    }
    this.#report(`${title} ${changeOf(before.ok ? before.value : undefined, answer.value)}`);
  }

  async #owned(kind: ResourceKind): Promise<readonly KubeObject[]> {
    const { namespace } = this.#installation;
    const scope = kind.namespaced ? { namespace } : {};
    const found = await this.#list(kind, { ...scope, labelSelector: PART_OF_SELECTOR });
    return found.filter((object) => isOwnObject(kind, object, this.#installation));
  }

  async #list(kind: ResourceKind, options: ListOptions): Promise<readonly KubeObject[]> {
    const answer = await this.#client.listAll(kind, options);
    if (answer.ok) return answer.value;
    if (answer.error.status === 404) return [];
    const asked = { verb: 'list', kind, namespace: options.namespace ?? '' } as const;
    throw apiFailure('INSTALL_LIST_FAILED', `${kind.plural} cannot be listed`, answer.error, asked);
  }
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
