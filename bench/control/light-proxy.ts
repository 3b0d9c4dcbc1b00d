/** A node proxy as the control plane sees it: subscribed to all addresses and policies, and quick to acknowledge. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL } from '../../src/model/feed-encode.ts';
import {
  AggregatedDiscoveryServiceService,
  DeltaDiscoveryRequest as DiscoveryRequest,
} from '../../src/proto/gen/discovery.ts';
import { feedRequest } from '../../test/helpers/feed-client.ts';
import { FeedReader } from './feed-reader.ts';

export interface LightProxyOptions {
  readonly port: number;
  readonly rootsPem: string;
  /** The first request for addresses, as a gRPC message: the same for all proxies that know the same. */
  readonly firstRequest: Buffer;
  /** One resource of the feed, encoded. @param isFirst whether it belongs to the first answer */
  readonly onResource: (resource: Buffer, isFirst: boolean) => void;
}

const TYPES = [ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL];
const TOKEN = 'zt';
const { path } = AggregatedDiscoveryServiceService.deltaAggregatedResources;

/** The first request of a proxy. @param known versions by name */
export function firstRequest(known: ReadonlyMap<string, string>): Buffer {
  const node = { id: 'ztunnel~bench', cluster: '', metadata: undefined, buildVersion: '' };
  return message({ node, initialResourceVersions: new Map(known) });
}

export class LightProxy {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #answered = new Set<string>();
  /** Of messages that were read. */
  bytes = 0;
  responses = 0;
  resources = 0;
  /** Resolves with the first answers of all types. */
  readonly synced: Promise<void>;

  constructor(options: LightProxyOptions) {
    // The windows of HTTP/2 are those that ztunnel has, too: the defaults.
    this.#session = connect(`https://localhost:${options.port}`, { ca: options.rootsPem });
    this.#stream = this.#session.request(
      {
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        authorization: `Bearer ${TOKEN}`,
      },
      { endStream: false },
    );
    this.synced = this.#read(options);
    this.#stream.write(options.firstRequest);
    this.#stream.write(message({ typeUrl: AUTHORIZATION_TYPE_URL }));
  }

  /** Cuts the connection, as a control plane that is gone does. */
  cut(): void {
    this.#session.destroy();
  }

  #read({ onResource }: LightProxyOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const reader = new FeedReader({
        onResource: (resource) => {
          this.resources++;
          onResource(resource, !this.#answered.has(ADDRESS_TYPE_URL));
        },
        onResponse: (typeUrl, nonce) => {
          this.responses++;
          this.#stream.write(message({ typeUrl, responseNonce: nonce }));
          this.#answered.add(typeUrl);
          if (this.#answered.size === TYPES.length) resolve();
        },
      });
      this.#stream.on('data', (chunk: Buffer) => {
        this.bytes += chunk.length;
        reader.push(chunk);
      });
      this.#session.on('error', reject);
      this.#stream.on('error', reject);
      this.#stream.on('close', () => reject(new Error('the control plane ended the stream')));
    });
  }
}

function message(fields: Parameters<typeof feedRequest>[0]): Buffer {
  const body = DiscoveryRequest.encode(feedRequest(fields)).finish();
  const framed = Buffer.alloc(body.length + 5);
  framed.writeUInt32BE(body.length, 1);
  framed.set(body, 5);
  return framed;
}
