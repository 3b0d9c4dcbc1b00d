/** What expressions of Telemetry objects ask of a request that is over (facts l7-and-control 6.4). */
import type { AttributeName, ExpressionContext } from '../expression/attributes.ts';
import type { AccessRecord } from './access-record.ts';
import type { FinishedConnection, FinishedExchange } from './finished-exchange.ts';
import type { RequestFields } from './request-fields.ts';

/** The bits of flags, in Envoy's order. */
const FLAG_BITS: readonly string[] = [
  'LH',
  'UH',
  'UT',
  'LR',
  'UR',
  'UF',
  'UC',
  'UO',
  'NR',
  'DI',
  'FI',
  'RL',
  'UAEX',
  'RLSE',
  'DC',
  'URX',
  'SI',
  'IH',
  'DPE',
  'UMSDR',
  'RFCF',
  'NFCF',
  'DT',
  'UPE',
  'NC',
  'OM',
  'DF',
];

export class ExchangeAttributes implements ExpressionContext {
  readonly #connection: FinishedConnection;
  readonly #request: RequestFields;
  readonly #format: FinishedExchange;
  readonly #record: AccessRecord;

  constructor(connection: FinishedConnection, request: RequestFields, format: FinishedExchange, record: AccessRecord) {
    this.#connection = connection;
    this.#request = request;
    this.#format = format;
    this.#record = record;
  }

  header(of: 'request' | 'response', name: string): string | undefined {
    return of === 'request' ? this.#format.requestHeader(name) : this.#format.responseHeader(name);
  }

  attribute(name: AttributeName): string | number | boolean | undefined {
    const [part] = name.split('.');
    if (part === 'request') return this.#ofRequest(name);
    if (part === 'response') return this.#ofResponse(name);
    return part === 'source' || part === 'connection' ? this.#ofClient(name) : this.#ofEndpoint(name);
  }

  #ofRequest(name: AttributeName): string | number | undefined {
    const path = this.#format.requestHeader('x-envoy-original-path') ?? this.#format.requestHeader(':path') ?? '';
    switch (name) {
      case 'request.path':
        return path;
      case 'request.url_path':
        return path.split('?')[0];
      case 'request.query':
        return path.includes('?') ? path.slice(path.indexOf('?') + 1) : undefined;
      case 'request.host':
        return this.#request.authority;
      case 'request.scheme':
        return this.#request.scheme;
      case 'request.method':
        return this.#request.method;
      case 'request.protocol':
        return this.#format.protocol;
      case 'request.id':
        return this.#request.requestId;
      case 'request.referer':
        return this.#format.requestHeader('referer');
      case 'request.useragent':
        return this.#format.requestHeader('user-agent');
      case 'request.size':
        return this.#record.receivedBytes;
      default:
        return this.#format.durationMs;
    }
  }

  #ofResponse(name: AttributeName): string | number | undefined {
    switch (name) {
      case 'response.code':
        return this.#record.status;
      case 'response.code_details':
        return this.#record.details;
      case 'response.flags':
        return flagBits(this.#record.responseFlags);
      case 'response.grpc_status':
        return this.#record.grpcStatus === '' ? undefined : Number(this.#record.grpcStatus);
      case 'response.size':
        return this.#record.sentBytes;
      default:
        return this.#format.durationMs;
    }
  }

  #ofClient(name: AttributeName): string | number | boolean | undefined {
    const { client, clientAddress } = this.#connection;
    switch (name) {
      case 'connection.mtls':
        return true;
      case 'connection.requested_server_name':
        return this.#format.requestedServerName;
      case 'source.address':
        return clientAddress;
      case 'source.port':
        return portOf(clientAddress);
      case 'source.workload':
        return client.peer.workload || undefined;
      case 'source.namespace':
        return client.peer.namespace || undefined;
      default:
        return client.principal || undefined;
    }
  }

  #ofEndpoint(name: AttributeName): string | number | undefined {
    const { target, calledAddress } = this.#connection;
    const { endpoint, transportFailure } = this.#record;
    switch (name) {
      case 'destination.address':
        return calledAddress;
      case 'destination.port':
        return target.port;
      case 'destination.service':
        return target.kind === 'service' ? target.service.hostname : undefined;
      case 'destination.workload':
        return endpoint?.workload.workloadName || undefined;
      case 'destination.namespace':
        return endpoint?.workload.namespace || undefined;
      case 'upstream.address':
        return this.#format.upstreamHost;
      case 'upstream.port':
        return endpoint?.port;
      case 'upstream.transport_failure_reason':
        return transportFailure;
      case 'xds.cluster_name':
        return this.#format.upstreamCluster;
      default:
        return this.#format.routeName || undefined;
    }
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

function flagBits(flags: string): number {
  let bits = 0;
  for (const flag of flags.split(',')) {
    const bit = FLAG_BITS.indexOf(flag);
    if (bit >= 0) bits |= 1 << bit;
  }
  return bits;
}
