/** A plain delta xDS client that ACKs everything and hands responses out one by one. */
import { type ClientDuplexStream, credentials, Metadata } from '@grpc/grpc-js';
import { ADDRESS_TYPE_URL } from '../../src/model/feed-encode.ts';
import {
  AggregatedDiscoveryServiceClient,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from '../../src/proto/gen/discovery.ts';

export interface FeedServer {
  /** Default this machine. */
  readonly host?: string;
  readonly port: number;
  readonly rootsPem: string;
  /** The name in the server's certificate, where it is not the host. */
  readonly serverName?: string;
}

/** A request with everything empty but the given fields. */
export function feedRequest(fields: Partial<DeltaDiscoveryRequest>): DeltaDiscoveryRequest {
  return {
    node: undefined,
    typeUrl: ADDRESS_TYPE_URL,
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: new Map(),
    responseNonce: '',
    errorDetail: undefined,
    ...fields,
  };
}

/** As ztunnel takes (facts ztunnel-wire 5.1). */
const MAX_MESSAGE_BYTES = 200 * 1024 * 1024;

export class FeedClient {
  readonly client: AggregatedDiscoveryServiceClient;
  readonly stream: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
  readonly versions = new Map<string, string>();
  /** Whether the server ended the stream in order. */
  ended = false;
  readonly #queue: DeltaDiscoveryResponse[] = [];
  #wake: (() => void) | undefined;
  #failure: Error | undefined;

  constructor(server: FeedServer, token: string) {
    this.client = new AggregatedDiscoveryServiceClient(
      `${server.host ?? 'localhost'}:${server.port}`,
      credentials.createSsl(Buffer.from(server.rootsPem)),
      {
        'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
        ...(server.serverName !== undefined && { 'grpc.ssl_target_name_override': server.serverName }),
      },
    );
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    this.stream = this.client.deltaAggregatedResources(metadata);
    this.stream.on('data', (response: DeltaDiscoveryResponse) => {
      this.stream.write(feedRequest({ typeUrl: response.typeUrl, responseNonce: response.nonce }));
      for (const resource of response.resources) this.versions.set(resource.name, resource.version);
      this.#queue.push(response);
      this.#wake?.();
    });
    this.stream.on('error', (error) => {
      this.#failure = error;
      this.#wake?.();
    });
    this.stream.on('end', () => {
      this.ended = true;
    });
  }

  async next(typeUrl = ADDRESS_TYPE_URL): Promise<DeltaDiscoveryResponse> {
    for (;;) {
      const index = this.#queue.findIndex((response) => response.typeUrl === typeUrl);
      if (index >= 0) return this.#queue.splice(index, 1)[0]!;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.stream.cancel();
    this.client.close();
  }
}
