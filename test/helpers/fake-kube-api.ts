/** A small API server: real HTTPS, lists in pages, watches with bookmarks and history, patches, TokenReview. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { KubeConfig } from '../../src/kube/kube-config.ts';
import type { KubeObject } from '../../src/kube/kube-object.ts';
import {
  AUTHORIZATION_POLICIES,
  apiVersionOf,
  CONFIG_MAPS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  EVENTS,
  GATEWAY_CLASSES,
  GATEWAYS,
  HORIZONTAL_POD_AUTOSCALERS,
  LEASES,
  NAMESPACES,
  NODES,
  PEER_AUTHENTICATIONS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  type ResourceKind,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICE_ENTRIES,
  SERVICES,
  VALIDATING_WEBHOOKS,
  WORKLOAD_ENTRIES,
} from '../../src/kube/resource-kind.ts';
import { createTestCa } from './test-ca.ts';

type Fields = Record<string, unknown>;

export interface FakeToken {
  /** `system:serviceaccount:<namespace>:<name>`. */
  readonly username: string;
  /** Default `istio-ca`. */
  readonly audiences?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

interface SubjectSpec {
  readonly user: string;
  readonly groups?: readonly string[];
  readonly resourceAttributes: Readonly<Record<string, string>>;
}

interface Change {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

interface Watcher {
  readonly response: ServerResponse;
  readonly accepts: (object: KubeObject) => boolean;
}

class Collection {
  readonly kind: ResourceKind;
  readonly objects = new Map<string, KubeObject>();
  readonly watchers = new Set<Watcher>();
  history: Change[] = [];

  constructor(kind: ResourceKind) {
    this.kind = kind;
  }
}

const CORE = [
  PODS,
  NAMESPACES,
  NODES,
  SERVICES,
  SERVICE_ACCOUNTS,
  SECRETS,
  CONFIG_MAPS,
  EVENTS,
  DEPLOYMENTS,
  DAEMON_SETS,
  ENDPOINT_SLICES,
  LEASES,
  VALIDATING_WEBHOOKS,
  HORIZONTAL_POD_AUTOSCALERS,
  POD_DISRUPTION_BUDGETS,
];
export const MESH_KINDS = [
  PEER_AUTHENTICATIONS,
  AUTHORIZATION_POLICIES,
  SERVICE_ENTRIES,
  WORKLOAD_ENTRIES,
  GATEWAYS,
  GATEWAY_CLASSES,
] as const;

export interface FakeKubeApiOptions {
  /** Besides the kinds of Kubernetes itself. Default those of the mesh. */
  readonly customKinds?: readonly ResourceKind[];
  /** Credentials that are accepted. Default `api-token`. */
  readonly token?: string;
}

export class FakeKubeApi {
  readonly tokens = new Map<string, FakeToken>();
  /** `GET /api/v1/pods?limit=500`, in order. */
  readonly requests: string[] = [];
  /** A status refuses the request; called before everything else. */
  refuse: (method: string, path: string) => number | undefined = () => undefined;
  /** Answers of access reviews; called with `resourceAttributes`. */
  allows: (right: Readonly<Record<string, string>>) => boolean = () => true;
  /** Answers of reviews of somebody else's access. */
  allowsSubject: (spec: SubjectSpec) => boolean = () => false;
  /** Requests for which this holds are never answered. */
  hang: (method: string, path: string) => boolean = () => false;
  readonly #collections = new Map<string, Collection>();
  readonly #sockets = new Set<Socket>();
  readonly #token: string;
  #server: Server | undefined;
  #version = 100;
  #oldestVersion = 0;
  #config: KubeConfig | undefined;

  private constructor(options: FakeKubeApiOptions) {
    this.#token = options.token ?? 'api-token';
    for (const kind of [...CORE, ...(options.customKinds ?? MESH_KINDS)]) this.serve(kind);
  }

  static async start(options: FakeKubeApiOptions = {}): Promise<FakeKubeApi> {
    const api = new FakeKubeApi(options);
    const leaf = createTestCa().leaf({ dnsNames: ['localhost', '127.0.0.1'] });
    const server = createServer({ key: leaf.keyPem, cert: leaf.chainPem }, (request, response) => {
      void api.#answer(request, response);
    });
    server.on('connection', (socket: Socket) => {
      api.#sockets.add(socket);
      socket.on('close', () => api.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no address');
    api.#server = server;
    api.#config = {
      server: `https://127.0.0.1:${address.port}`,
      caPem: leaf.rootPem,
      namespace: 'istio-system',
      credentials: () => Promise.resolve({ token: api.#token }),
    };
    return api;
  }

  /** How to reach it. */
  get config(): KubeConfig {
    if (this.#config === undefined) throw new Error('not started');
    return this.#config;
  }

  serve(kind: ResourceKind): void {
    this.#collections.set(collectionKey(kind.group, kind.version, kind.plural), new Collection(kind));
  }

  unserve(kind: ResourceKind): void {
    const key = collectionKey(kind.group, kind.version, kind.plural);
    for (const watcher of this.#collections.get(key)?.watchers ?? []) watcher.response.end();
    this.#collections.delete(key);
  }

  /** Creates or replaces an object as somebody else would. */
  put(kind: ResourceKind, object: { readonly metadata: Fields } & Fields): KubeObject {
    return this.#store(this.#collection(kind), object);
  }

  remove(kind: ResourceKind, namespace: string, name: string): void {
    this.#remove(this.#collection(kind), objectKey(namespace, name));
  }

  get(kind: ResourceKind, namespace: string, name: string): KubeObject | undefined {
    return this.#collection(kind).objects.get(objectKey(namespace, name));
  }

  objects(kind: ResourceKind): KubeObject[] {
    return [...this.#collection(kind).objects.values()];
  }

  watcherCount(kind: ResourceKind): number {
    return this.#collection(kind).watchers.size;
  }

  /** Forgets all history: watches and pages of older versions are answered with 410. */
  expireHistory(): void {
    this.#version++;
    this.#oldestVersion = this.#version;
    for (const collection of this.#collections.values()) collection.history = [];
  }

  /** Ends every watch: in order, or by closing its connection. */
  breakWatches(how: 'end' | 'reset'): void {
    for (const { watchers } of this.#collections.values()) {
      for (const { response } of watchers) {
        if (how === 'end') response.end();
        else response.socket?.destroy();
      }
      watchers.clear();
    }
  }

  /** Tells every watcher the current version. */
  bookmark(): void {
    this.#version++;
    for (const { kind, watchers } of this.#collections.values()) {
      const object = { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata: this.#listMeta() };
      for (const { response } of watchers) response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
    }
  }

  /** An ERROR event to every watcher of a kind, as the API server sends it in the middle of a watch. */
  watchError(kind: ResourceKind, code: number): void {
    const object = { kind: 'Status', code, reason: code === 410 ? 'Expired' : 'InternalError', message: 'as asked' };
    for (const { response } of this.#collection(kind).watchers) {
      response.write(`${JSON.stringify({ type: 'ERROR', object })}\n`);
    }
  }

  /** Drops every connection, as a restart of the API server does. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.dropConnections();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  }

  #collection(kind: ResourceKind): Collection {
    const found = this.#collections.get(collectionKey(kind.group, kind.version, kind.plural));
    if (found === undefined) throw new Error(`${kind.plural} are not served`);
    return found;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? 'GET';
    const url = new URL(request.url ?? '/', 'https://localhost');
    this.requests.push(`${method} ${url.pathname}${url.search}`);
    const body = await readBody(request);
    if (this.hang(method, url.pathname)) return;
    const refused = this.refuse(method, url.pathname);
    if (refused !== undefined) return status(response, refused, REASONS[refused] ?? 'Refused');
    if (request.headers.authorization !== `Bearer ${this.#token}`) return status(response, 401, 'Unauthorized');
    if (url.pathname === '/version') return json(response, 200, { gitVersion: 'v1.34.0' });
    if (url.pathname === '/apis/authentication.k8s.io/v1/tokenreviews') return this.#review(response, body);
    if (url.pathname === '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews') {
      const { spec } = body as { spec: { resourceAttributes: Readonly<Record<string, string>> } };
      return json(response, 201, { metadata: {}, status: { allowed: this.allows(spec.resourceAttributes) } });
    }
    if (url.pathname === '/apis/authorization.k8s.io/v1/subjectaccessreviews') {
      const { spec } = body as { spec: SubjectSpec };
      return json(response, 201, { metadata: {}, status: { allowed: this.allowsSubject(spec) } });
    }
    const place = parsePath(url.pathname);
    const collection =
      place === undefined ? undefined : this.#collections.get(collectionKey(place.group, place.version, place.plural));
    if (place === undefined || collection === undefined) return status(response, 404, 'NotFound');
    this.#route(method, url, collection, place, body, response, request);
  }

  #route(
    method: string,
    url: URL,
    collection: Collection,
    place: Place,
    body: unknown,
    response: ServerResponse,
    request: IncomingMessage,
  ): void {
    if (place.name === '') {
      if (method === 'POST') return this.#create(collection, place, body, response);
      if (method !== 'GET') return status(response, 405, 'MethodNotAllowed');
      if (url.searchParams.get('watch') === 'true') return this.#watch(url, collection, place, response);
      return this.#list(url, collection, place, response);
    }
    const key = objectKey(collection.kind.namespaced ? place.namespace : '', place.name);
    const current = collection.objects.get(key);
    if (method === 'PATCH' && current === undefined && request.headers['content-type']?.includes('apply') === true) {
      return this.#create(collection, place, body, response);
    }
    if (current === undefined) return status(response, 404, 'NotFound');
    if (method === 'GET') return json(response, 200, current);
    if (method === 'DELETE') return this.#delete(collection, current, body, response);
    this.#write(method, collection, current, place, body, response);
  }

  #delete(collection: Collection, current: KubeObject, body: unknown, response: ServerResponse): void {
    const uid = (body as { preconditions?: { uid?: string } } | undefined)?.preconditions?.uid;
    if (uid !== undefined && uid !== current.metadata.uid) return status(response, 409, 'Conflict');
    this.#remove(collection, objectKey(current.metadata.namespace ?? '', current.metadata.name));
    json(response, 200, { kind: 'Status', status: 'Success' });
  }

  #write(
    method: string,
    collection: Collection,
    current: KubeObject,
    place: Place,
    body: unknown,
    response: ServerResponse,
  ): void {
    const wanted = (body as { metadata?: Fields } | undefined)?.metadata?.['resourceVersion'];
    if (wanted !== undefined && wanted !== current.metadata.resourceVersion) return status(response, 409, 'Conflict');
    const wantedUid = (body as { metadata?: Fields } | undefined)?.metadata?.['uid'];
    if (wantedUid !== undefined && wantedUid !== current.metadata.uid) return status(response, 409, 'Conflict');
    if (method === 'PUT') return json(response, 200, this.#store(collection, body as KubeObject));
    if (method !== 'PATCH') return status(response, 405, 'MethodNotAllowed');
    if (Array.isArray(body)) {
      const patched = jsonPatch(current, body as readonly JsonOperation[]);
      if (patched === undefined) return status(response, 422, 'Invalid');
      return json(response, 200, this.#store(collection, patched));
    }
    const merged = mergePatch(current, body) as KubeObject;
    const isStatus = place.subresource === 'status';
    // The status of a pod also takes metadata.
    const kept = place.plural === 'pods' ? { metadata: merged.metadata } : {};
    const next = isStatus ? { ...current, ...kept, status: merged['status'] } : merged;
    json(response, 200, this.#store(collection, next, isStatus ? 0 : 1));
  }

  #create(collection: Collection, place: Place, body: unknown, response: ServerResponse): void {
    const object = body as KubeObject;
    const namespace = collection.kind.namespaced ? place.namespace : undefined;
    const name = object.metadata.name === undefined || object.metadata.name === '' ? place.name : object.metadata.name;
    if (collection.objects.has(objectKey(namespace ?? '', name))) return status(response, 409, 'AlreadyExists');
    const metadata = { ...object.metadata, name, ...(namespace === undefined ? {} : { namespace }) };
    json(response, 201, this.#store(collection, { ...object, metadata }));
  }

  #store(collection: Collection, object: { readonly metadata: Fields } & Fields, newer = 1): KubeObject {
    const { kind } = collection;
    const name = String(object.metadata['name']);
    const namespace = kind.namespaced ? String(object.metadata['namespace'] ?? 'default') : '';
    const key = objectKey(namespace, name);
    const before = collection.objects.get(key);
    const version = ++this.#version;
    const stored: KubeObject = {
      ...object,
      kind: kind.kind,
      apiVersion: apiVersionOf(kind),
      metadata: {
        creationTimestamp: '2026-01-01T00:00:00Z',
        ...object.metadata,
        name,
        ...(namespace === '' ? {} : { namespace }),
        uid: before?.metadata.uid ?? (object.metadata['uid'] as string | undefined) ?? randomUUID(),
        generation: (before?.metadata.generation ?? 0) + newer,
        resourceVersion: String(version),
        managedFields: object.metadata['managedFields'] ?? [{ manager: 'test', operation: 'Update' }],
      },
    };
    collection.objects.set(key, stored);
    this.#emit(collection, { version, type: before === undefined ? 'ADDED' : 'MODIFIED', object: stored });
    return stored;
  }

  #remove(collection: Collection, key: string): void {
    const before = collection.objects.get(key);
    if (before === undefined) return;
    const version = ++this.#version;
    const object = { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } };
    collection.objects.delete(key);
    this.#emit(collection, { version, type: 'DELETED', object });
  }

  #emit(collection: Collection, change: Change): void {
    collection.history.push(change);
    const line = `${JSON.stringify({ type: change.type, object: change.object })}\n`;
    for (const { response, accepts } of collection.watchers) if (accepts(change.object)) response.write(line);
  }

  #list(url: URL, collection: Collection, place: Place, response: ServerResponse): void {
    const accepts = filterOf(url, place);
    const all = [...collection.objects.values()].filter(accepts);
    const limit = Number(url.searchParams.get('limit') ?? 0) || all.length;
    const token = url.searchParams.get('continue') ?? '';
    const [start = 0, version = this.#version] = token === '' ? [] : token.split('-').map(Number);
    if (version < this.#oldestVersion) return status(response, 410, 'Expired');
    const end = start + limit;
    const metadata = {
      resourceVersion: String(version),
      ...(end < all.length ? { continue: `${end}-${version}` } : {}),
    };
    // Items of a list carry neither kind nor version.
    const items = all.slice(start, end).map(({ kind: _, apiVersion: __, ...rest }) => rest);
    json(response, 200, { kind: 'List', metadata, items });
  }

  #watch(url: URL, collection: Collection, place: Place, response: ServerResponse): void {
    const since = Number(url.searchParams.get('resourceVersion'));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (since < this.#oldestVersion) {
      const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    const accepts = filterOf(url, place);
    for (const { version, type, object } of collection.history) {
      if (version > since && accepts(object)) response.write(`${JSON.stringify({ type, object })}\n`);
    }
    const watcher = { response, accepts };
    collection.watchers.add(watcher);
    response.on('close', () => collection.watchers.delete(watcher));
  }

  #review(response: ServerResponse, body: unknown): void {
    const spec = (body as { spec: { token: string; audiences?: string[] } }).spec;
    const token = this.tokens.get(spec.token);
    const own = token?.audiences ?? ['istio-ca'];
    const audiences = own.filter((audience) => spec.audiences?.includes(audience) ?? true);
    const review =
      token === undefined || audiences.length === 0
        ? { authenticated: false, error: 'token is not valid for any of the audiences' }
        : { authenticated: true, user: { username: token.username, extra: token.extra ?? {} }, audiences };
    json(response, 201, { kind: 'TokenReview', metadata: { creationTimestamp: null }, status: review });
  }

  #listMeta(): Fields {
    return { resourceVersion: String(this.#version) };
  }
}

interface Place {
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly plural: string;
  readonly name: string;
  readonly subresource: string;
}

function parsePath(path: string): Place | undefined {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const root = parts.shift();
  const group = root === 'apis' ? parts.shift() : root === 'api' ? '' : undefined;
  const version = parts.shift();
  if (group === undefined || version === undefined) return undefined;
  const isScoped = parts[0] === 'namespaces' && parts.length > 2;
  const namespace = isScoped ? (parts[1] ?? '') : '';
  const [plural = '', name = '', subresource = ''] = isScoped ? parts.slice(2) : parts;
  return { group, version, namespace, plural, name, subresource };
}

function filterOf(url: URL, place: Place): (object: KubeObject) => boolean {
  const labels = (url.searchParams.get('labelSelector') ?? '').split(',').filter((part) => part !== '');
  const fields = (url.searchParams.get('fieldSelector') ?? '').split(',').filter((part) => part !== '');
  return (object) =>
    (place.namespace === '' || object.metadata.namespace === place.namespace) &&
    labels.every((label) => {
      const [refusedKey, refusedValue] = label.split('!=');
      if (refusedValue !== undefined) return object.metadata.labels?.[refusedKey ?? ''] !== refusedValue;
      const [key = '', value] = label.split('=');
      const own = object.metadata.labels?.[key];
      return value === undefined ? own !== undefined : own === value;
    }) &&
    fields.every((field) => {
      const [path = '', value = ''] = field.split('=');
      const found = path.split('.').reduce<unknown>((at, step) => (at as Fields | undefined)?.[step], object);
      return String(found ?? '') === value;
    });
}

/** RFC 7396. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  const result: Fields = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

const REASONS: Readonly<Record<number, string>> = { 403: 'Forbidden', 409: 'Conflict', 429: 'TooManyRequests' };

function status(response: ServerResponse, code: number, reason: string): void {
  json(response, code, { kind: 'Status', status: 'Failure', code, reason, message: `${reason} by the test` });
}

function json(response: ServerResponse, code: number, value: unknown): void {
  if (response.destroyed) return;
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

function collectionKey(group: string, version: string, plural: string): string {
  return `${group}/${version}/${plural}`;
}

function objectKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

interface JsonOperation {
  readonly op: string;
  readonly path: string;
  readonly value: unknown;
}

/** `add` to an object, and `test` (RFC 6902); undefined when a test fails. */
function jsonPatch(object: KubeObject, operations: readonly JsonOperation[]): KubeObject | undefined {
  const patched = structuredClone(object);
  for (const { op, path, value } of operations) {
    const keys = path.split('/').slice(1);
    const last = keys.pop() ?? '';
    let at = patched as unknown as Record<string, unknown>;
    for (const key of keys) at = at[key] as Record<string, unknown>;
    if (op === 'test' && at[last] !== value) return undefined;
    if (op === 'add') at[last] = value;
  }
  return patched;
}
