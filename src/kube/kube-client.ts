/** Objects of the Kubernetes API: read, list, watch, write. Nothing rejects; every call has a deadline. */
import type { Clock } from '../base/clock.ts';
import { fail, ok, type Result } from '../base/result.ts';
import { fieldsOf, isRecord } from '../model/manifest/field-reader.ts';
import type { KubeConfig } from './kube-config.ts';
import { KubeError, refusal } from './kube-error.ts';
import { asKubeObject, type KubeList, type KubeObject } from './kube-object.ts';
import { type KubeCall, KubeTransport } from './kube-transport.ts';
import { apiVersionOf, type ResourceKind, resourcePath } from './resource-kind.ts';

export interface CallOptions {
  /** Default 30 s. */
  readonly timeoutMs?: number;
}

export interface ListOptions extends CallOptions {
  /** Default all. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Objects of one page. */
  readonly limit?: number;
  /** Of the page before. */
  readonly continue?: string;
  readonly resourceVersion?: string;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion: string;
  /** When the API server ends the watch. */
  readonly timeoutSec: number;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: KubeObject;
}

export interface Patch {
  readonly type: 'merge' | 'apply' | 'json';
  readonly body: unknown;
  readonly subresource?: 'status';
  /** Required by `apply`. */
  readonly fieldManager?: string;
  /** `apply`: takes over fields that others manage. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** Only this very object. */
  readonly uid?: string;
  readonly gracePeriodSec?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** Past the end that the API server was asked for. */
const WATCH_GRACE_MS = 30_000;
const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  apply: 'application/apply-patch+yaml',
  json: 'application/json-patch+json',
} as const;
const EVENT_TYPES: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);

/** A client of one API server. `namespace` is empty for cluster-scoped kinds. */
export class KubeClient {
  readonly #transport: KubeTransport;

  constructor(config: KubeConfig, deps: { readonly clock: Clock }) {
    this.#transport = new KubeTransport(config, deps.clock);
  }

  get(kind: ResourceKind, namespace: string, name: string, options?: CallOptions): KubeAnswer {
    return this.#object({ method: 'GET', path: resourcePath(kind, namespace, name), ...deadline(options) });
  }

  /** One page. Items are given the kind and version that the API server leaves out in lists. */
  async list(kind: ResourceKind, options: ListOptions = {}): Promise<Result<KubeList, KubeError>> {
    const query = selectors(options);
    if (options.limit !== undefined) query.set('limit', String(options.limit));
    if (options.continue !== undefined && options.continue !== '') query.set('continue', options.continue);
    if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion);
    const path = resourcePath(kind, options.namespace ?? '');
    const answer = await this.#transport.call({ method: 'GET', path, query, ...deadline(options) });
    return answer.ok ? readList(kind, path, answer.value) : answer;
  }

  /** All pages. @param pageSize objects of one page */
  async listAll(
    kind: ResourceKind,
    options: Omit<ListOptions, 'limit' | 'continue'> = {},
    pageSize = 500,
  ): Promise<Result<readonly KubeObject[], KubeError>> {
    const items: KubeObject[] = [];
    let next = '';
    do {
      const page = await this.list(kind, { ...options, limit: pageSize, continue: next });
      if (!page.ok) return page;
      for (const item of page.value.items) items.push(item);
      next = page.value.continue;
    } while (next !== '');
    return ok(items);
  }

  /**
   * Changes since a version. Resolves when the watch ends, with a failure when it was cut off; 410 means that the
   * version is no longer kept.
   */
  async watch(
    kind: ResourceKind,
    options: WatchOptions,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
  ): Promise<Result<undefined, KubeError>> {
    const query = selectors(options);
    query.set('watch', 'true');
    query.set('allowWatchBookmarks', 'true');
    query.set('resourceVersion', options.resourceVersion);
    query.set('timeoutSeconds', String(options.timeoutSec));
    const path = resourcePath(kind, options.namespace ?? '');
    const stopped = new AbortController();
    let failure: KubeError | undefined;
    const onLine = (line: unknown) => {
      if (failure !== undefined) return;
      const event = readEvent(path, line);
      if (event.ok) return onEvent(event.value);
      failure = event.error;
      stopped.abort();
    };
    const call: KubeCall = { method: 'GET', path, query, timeoutMs: options.timeoutSec * 1000 + WATCH_GRACE_MS };
    const ended = await this.#transport.stream(call, onLine, AbortSignal.any([signal, stopped.signal]));
    return failure === undefined ? ended : fail(failure);
  }

  create(kind: ResourceKind, namespace: string, body: object, options?: CallOptions): KubeAnswer {
    const path = resourcePath(kind, namespace);
    return this.#object({ method: 'POST', path, body: typed(kind, body), ...deadline(options) });
  }

  /** With a `resourceVersion` in the body, only that version is replaced. */
  replace(kind: ResourceKind, namespace: string, name: string, body: object, options?: CallOptions): KubeAnswer {
    const path = resourcePath(kind, namespace, name);
    return this.#object({ method: 'PUT', path, body: typed(kind, body), ...deadline(options) });
  }

  patch(kind: ResourceKind, namespace: string, name: string, patch: Patch, options?: CallOptions): KubeAnswer {
    const query = new URLSearchParams();
    if (patch.fieldManager !== undefined) query.set('fieldManager', patch.fieldManager);
    if (patch.force !== undefined) query.set('force', String(patch.force));
    const body = patch.type === 'apply' && isRecord(patch.body) ? typed(kind, patch.body) : patch.body;
    const path = resourcePath(kind, namespace, name, patch.subresource);
    return this.#object({
      method: 'PATCH',
      path,
      query,
      body,
      contentType: PATCH_TYPES[patch.type],
      ...deadline(options),
    });
  }

  delete(kind: ResourceKind, namespace: string, name: string, options: DeleteOptions = {}): KubeAnswer {
    const { propagationPolicy, uid, gracePeriodSec } = options;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
      ...(uid === undefined ? {} : { preconditions: { uid } }),
      ...(gracePeriodSec === undefined ? {} : { gracePeriodSeconds: gracePeriodSec }),
    };
    return this.#object({ method: 'DELETE', path: resourcePath(kind, namespace, name), body, ...deadline(options) });
  }

  /** Any path of the API, for example `/version`. */
  raw(path: string, options?: CallOptions): Promise<Result<unknown, KubeError>> {
    return this.#transport.call({ method: 'GET', path, ...deadline(options) });
  }

  /** An answer that is no JSON, such as a log. */
  text(path: string, query: URLSearchParams, options?: CallOptions): Promise<Result<string, KubeError>> {
    const call = { method: 'GET', path, query, answersText: true, ...deadline(options) } as const;
    return this.#transport.call(call) as Promise<Result<string, KubeError>>;
  }

  /** Closes kept connections; what is under way fails. */
  close(): void {
    this.#transport.close();
  }

  async #object(call: KubeCall): KubeAnswer {
    const answer = await this.#transport.call(call);
    if (!answer.ok) return answer;
    const object = asKubeObject(answer.value);
    return object === undefined ? fail(unusable(call.path, 'it is no object')) : ok(object);
  }
}

type KubeAnswer = Promise<Result<KubeObject, KubeError>>;

function deadline(options: CallOptions | undefined): { timeoutMs: number } {
  return { timeoutMs: options?.timeoutMs ?? DEFAULT_TIMEOUT_MS };
}

function selectors(options: { readonly labelSelector?: string; readonly fieldSelector?: string }): URLSearchParams {
  const query = new URLSearchParams();
  if (options.labelSelector !== undefined) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector !== undefined) query.set('fieldSelector', options.fieldSelector);
  return query;
}

function typed(kind: ResourceKind, body: object): object {
  return { apiVersion: apiVersionOf(kind), kind: kind.kind, ...body };
}

function readList(kind: ResourceKind, path: string, answer: unknown): Result<KubeList, KubeError> {
  // A list without objects may come as `items: null`.
  const found = isRecord(answer) ? (answer['items'] ?? []) : undefined;
  const metadata = fieldsOf(fieldsOf(answer)['metadata']);
  if (!Array.isArray(found)) return fail(unusable(path, 'it is no list'));
  const items: KubeObject[] = [];
  for (const item of found as readonly unknown[]) {
    const object = asKubeObject(item);
    if (object === undefined) return fail(unusable(path, 'it lists something that is no object'));
    items.push({ apiVersion: apiVersionOf(kind), kind: kind.kind, ...object });
  }
  const { resourceVersion, continue: next } = metadata;
  return ok({
    items,
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    continue: typeof next === 'string' ? next : '',
  });
}

function readEvent(path: string, line: unknown): Result<WatchEvent, KubeError> {
  const { type, object } = fieldsOf(line);
  if (type === 'ERROR') {
    const code = fieldsOf(object)['code'];
    return fail(refusal(`GET ${path}?watch`, typeof code === 'number' ? code : 500, object));
  }
  const value = asKubeObject(object);
  if (value === undefined || !EVENT_TYPES.has(type)) return fail(unusable(path, 'an event is of no known shape'));
  return ok({ type: type as WatchEvent['type'], object: value });
}

function unusable(path: string, why: string): KubeError {
  return new KubeError('KUBE_ANSWER_INVALID', `the answer to ${path} cannot be used: ${why}`);
}
