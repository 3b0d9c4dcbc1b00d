import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  AggregatedDiscoveryServiceService,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from '../../src/proto/gen/discovery.ts';

type Call = ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/** A control plane's feed without TLS that does what the test says; the type URL is `A` unless given. */
export class ScriptedFeed implements AsyncDisposable {
  readonly #server = new Server();
  readonly calls: Call[] = [];
  readonly requests: DeltaDiscoveryRequest[] = [];
  port = 0;

  async start(port = 0): Promise<void> {
    this.#server.addService(AggregatedDiscoveryServiceService, {
      deltaAggregatedResources: (call: Call) => {
        this.calls.push(call);
        call.on('data', (request: DeltaDiscoveryRequest) => this.requests.push(request));
        call.on('error', () => undefined);
        call.on('end', () => call.end());
      },
    });
    this.port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
  }

  push(
    resources: Readonly<Record<string, string | Uint8Array>>,
    nonce: string,
    removed: readonly string[] = [],
    typeUrl = 'A',
  ): void {
    this.calls.at(-1)?.write({
      systemVersionInfo: '',
      resources: Object.entries(resources).map(([name, text]) => ({
        name,
        version: typeof text === 'string' ? `v-${text}` : 'v',
        aliases: [],
        resource: { typeUrl, value: Buffer.from(text as string) },
        ttl: undefined,
        cacheControl: undefined,
      })),
      typeUrl,
      removedResources: [...removed],
      nonce,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }
}
