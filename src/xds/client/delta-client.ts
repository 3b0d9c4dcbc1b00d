/**
 * The client half of delta xDS (facts ztunnel-wire 5.3).
 *
 * Invariants:
 * - Good resources of a push are kept when others of it are refused; a refused resource leaves the previous state. What
 *   stands in for one that has none is its handler's matter.
 * - State outlives the stream: on reconnect the versions held are sent, so that only differences come back. Names asked
 *   for one by one are sent with them, with an empty version when no resource of that name is held.
 * - Exactly one stream is open at a time; `stop` ends it and no handler is called afterwards.
 */
import { type ClientDuplexStream, status } from '@grpc/grpc-js';
import { Backoff } from '../../base/backoff.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import {
  AggregatedDiscoveryServiceClient,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type Node,
} from '../../proto/gen/discovery.ts';
import {
  type ControlPlaneEndpoint,
  callMetadata,
  channelCredentials,
  channelOptions,
  grpcTarget,
} from './grpc-channel.ts';

/** One resource of a push. */
export interface ReceivedResource {
  readonly name: string;
  readonly version: string;
  /** Other names under which an on-demand client may have asked for it. */
  readonly aliases: readonly string[];
  readonly bytes: Uint8Array;
}

/** A resource that was refused, and why. */
export interface RefusedResource {
  readonly name: string;
  readonly reason: string;
}

/** What to do with one type of resources. */
export interface ResourceHandler {
  readonly typeUrl: string;
  /** Ask for resources one by one instead of for all. */
  readonly onDemand: boolean;
  /** Applies one push as a whole and returns what it refused. */
  apply(resources: readonly ReceivedResource[], removed: readonly string[]): readonly RefusedResource[];
}

/** Why a stream ended; the label `reason` of `istio_xds_connection_terminations_total`. */
export type TerminationReason = 'ConnectionError' | 'Error' | 'Reconnect' | 'Complete';

export interface DeltaClientOptions {
  readonly endpoint: ControlPlaneEndpoint;
  readonly node: Node;
  readonly handlers: readonly ResourceHandler[];
}

export interface DeltaClientDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  onMessage(typeUrl: string, bytes: number): void;
  onTerminated(reason: TerminationReason): void;
  /** Called when a stream was accepted: the control plane is there and takes our token. */
  onConnected(): void;
  /** Called for each handler after its first push was worked through, whatever was refused in it. */
  onReady(typeUrl: string): void;
}

type Stream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/** What is held of one type: versions by name, and the names (aliases among them) that were asked for one by one. */
interface TypeState {
  readonly handler: ResourceHandler;
  readonly versions: Map<string, string>;
  readonly asked: Set<string>;
  ready: boolean;
}

const QUIET_CODES: ReadonlySet<number> = new Set([status.UNKNOWN, status.CANCELLED, status.DEADLINE_EXCEEDED]);

export class DeltaClient {
  readonly #options: DeltaClientOptions;
  readonly #deps: DeltaClientDeps;
  readonly #types: ReadonlyMap<string, TypeState>;
  readonly #backoff = new Backoff({ initialMs: 10, maxMs: 15_000 });
  readonly #stopped = new AbortController();
  #stream: Stream | undefined;

  constructor(options: DeltaClientOptions, deps: DeltaClientDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#types = new Map(
      options.handlers.map((handler) => [
        handler.typeUrl,
        { handler, versions: new Map(), asked: new Set(), ready: false },
      ]),
    );
  }

  /** Connects and reconnects until `stop`. */
  async run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const reason = await this.#runStream();
      if (this.#stopped.signal.aborted) return;
      this.#deps.onTerminated(reason);
      if (reason === 'Reconnect' || reason === 'Complete') this.#backoff.reset();
      await sleep(this.#deps.clock, this.#backoff.next(), this.#stopped.signal);
    }
  }

  stop(): void {
    this.#stopped.abort();
    this.#stream?.cancel();
  }

  /**
   * Asks for one resource of an on-demand type by name or alias; asking again does nothing. The answer is a push with the
   * resource, or with the name as removed. The subscription outlives the stream.
   */
  subscribe(typeUrl: string, name: string): void {
    const type = this.#types.get(typeUrl);
    if (type === undefined || type.asked.has(name)) return;
    type.asked.add(name);
    this.#stream?.write(request({ typeUrl, resourceNamesSubscribe: [name] }));
  }

  /** Ends the subscription to names for which nothing was found. */
  unsubscribe(typeUrl: string, names: readonly string[]): void {
    const type = this.#types.get(typeUrl);
    const asked = names.filter((name) => type?.asked.delete(name) === true);
    if (asked.length > 0) this.#stream?.write(request({ typeUrl, resourceNamesUnsubscribe: asked }));
  }

  async #runStream(): Promise<TerminationReason> {
    const { logger } = this.#deps;
    try {
      const { endpoint } = this.#options;
      const credentials = await channelCredentials(endpoint);
      const client = new AggregatedDiscoveryServiceClient(grpcTarget(endpoint), credentials, channelOptions(endpoint));
      try {
        const stream = client.deltaAggregatedResources(await callMetadata(endpoint));
        this.#stream = stream;
        return await this.#converse(stream);
      } finally {
        this.#stream = undefined;
        client.close();
      }
    } catch (error) {
      logger.warn('XDS client connection error', { error: errorText(error) });
      return 'ConnectionError';
    }
  }

  #converse(stream: Stream): Promise<TerminationReason> {
    return new Promise((resolve) => {
      // Headers come with the answer to the call, so before any push.
      stream.once('metadata', () => this.#deps.onConnected());
      stream.on('data', (response: DeltaDiscoveryResponse) => this.#receive(stream, response));
      stream.on('error', (error: Error & { code?: number }) => resolve(this.#terminated(error)));
      stream.on('end', () => resolve('Complete'));
      if (this.#stopped.signal.aborted) stream.cancel();
      for (const type of this.#types.values()) stream.write(this.#initialRequest(type));
    });
  }

  #terminated(error: Error & { code?: number }): TerminationReason {
    const { logger } = this.#deps;
    const quiet = QUIET_CODES.has(error.code ?? -1) || /transport is closing|received prior goaway/.test(error.message);
    if (quiet) {
      logger.debug('XDS client terminated', { error: error.message });
      return 'Reconnect';
    }
    logger.warn('XDS client error', { error: error.message });
    return error.code === status.UNAVAILABLE ? 'ConnectionError' : 'Error';
  }

  #initialRequest({ handler, versions, asked }: TypeState): DeltaDiscoveryRequest {
    const { typeUrl, onDemand } = handler;
    const wildcard = onDemand ? ['*'] : [];
    const initialResourceVersions = new Map(versions);
    for (const name of asked) if (!versions.has(name)) initialResourceVersions.set(name, '');
    return request({
      typeUrl,
      node: this.#options.node,
      resourceNamesSubscribe: wildcard,
      resourceNamesUnsubscribe: wildcard,
      initialResourceVersions,
    });
  }

  #receive(stream: Stream, response: DeltaDiscoveryResponse): void {
    const { typeUrl, nonce } = response;
    const type = this.#types.get(typeUrl);
    const resources = response.resources.map((resource) => ({
      name: resource.name,
      version: resource.version,
      aliases: resource.aliases,
      bytes: resource.resource?.value ?? new Uint8Array(0),
    }));
    this.#deps.onMessage(
      typeUrl,
      resources.reduce((sum, { bytes }) => sum + bytes.length, 0),
    );
    if (type === undefined) {
      this.#deps.logger.warn('XDS response of an unknown type', { type: typeUrl });
      stream.write(request({ typeUrl, responseNonce: nonce }));
      return;
    }
    const refused = this.#apply(type, resources, response.removedResources);
    const message = refused.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
    const errorDetail = refused.length === 0 ? undefined : { code: 0, message, details: [] };
    if (errorDetail !== undefined) this.#deps.logger.warn('XDS resources refused', { type: typeUrl, reasons: message });
    stream.write(request({ typeUrl, responseNonce: nonce, errorDetail }));
    this.#backoff.reset();
    // What was refused comes again only once it is mended: nothing else waits for that.
    if (!type.ready) {
      type.ready = true;
      this.#deps.onReady(typeUrl);
    }
  }

  #apply(
    { handler, versions }: TypeState,
    resources: readonly ReceivedResource[],
    removed: readonly string[],
  ): readonly RefusedResource[] {
    for (const name of removed) versions.delete(name);
    for (const { name, version } of resources) versions.set(name, version);
    const refused = handler.apply(resources, removed);
    for (const { name } of refused) versions.delete(name);
    return refused;
  }
}

function request(fields: Partial<DeltaDiscoveryRequest>): DeltaDiscoveryRequest {
  return {
    node: undefined,
    typeUrl: '',
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: new Map(),
    responseNonce: '',
    errorDetail: undefined,
    ...fields,
  };
}
