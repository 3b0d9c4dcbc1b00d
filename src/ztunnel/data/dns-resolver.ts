/** One pod's answers: from the mesh where it knows the name, else from upstream (facts ztunnel-wire 12). */
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import { admitQuery } from '../../dns/admit-query.ts';
import type { DnsQuery } from '../../dns/dns-message.ts';
import { type DnsAnswer, type DnsTransport, encodeDnsReply } from '../../dns/dns-reply.ts';
import { CLASS_IN, RCODE, RECORD_TYPE, recordTypeName } from '../../dns/record-type.ts';
import { passOnAnswer } from '../../dns/upstream-answer.ts';
import type { MeshState } from '../../mesh/mesh-state.ts';
import type { IpAddress } from '../../model/address.ts';
import type { Workload } from '../../model/workload.ts';
import type { ZtunnelConfig } from '../config.ts';
import type { DnsForwarder } from './dns-forwarder.ts';
import { type DnsClient, type DnsLookupOptions, lookupMeshName, type MeshName, meshAddresses } from './dns-lookup.ts';
import { type DnsMetrics, type DnsSeries, observeUpstreamDuration } from './dns-metrics.ts';

export interface DnsResolverDeps {
  readonly state: MeshState;
  readonly clock: Clock;
  /** The scope `dns`. */
  readonly logger: Logger;
  /** Uniform numbers in [0, 1), for the order of addresses. */
  readonly random: () => number;
  readonly metrics: DnsMetrics;
  readonly forwarder: Pick<DnsForwarder, 'forward'>;
  /** The pod's own record, while the feed has one. */
  client(): Workload | undefined;
  /**
   * What decides about names until then: a program asks for names before the control plane knows the pod's address. The
   * agent's word is enough for it, and connections still wait for the record. Undefined when the pod is gone.
   */
  clientBefore(): DnsClient | undefined;
}

export const MESH_TTL_SEC = 30;
/** What upstream says about itself, not about the name. */
const UPSTREAM_ERRORS: ReadonlySet<number> = new Set([RCODE.FORMERR, RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED]);

export class DnsResolver {
  readonly #lookup: DnsLookupOptions;
  readonly #ipv6: boolean;
  readonly #deps: DnsResolverDeps;

  constructor(
    config: Pick<ZtunnelConfig, 'clusterDomain' | 'preferredServiceNamespace' | 'ipv6Enabled'>,
    deps: DnsResolverDeps,
  ) {
    this.#lookup = {
      clusterDomain: config.clusterDomain.toLowerCase(),
      preferredNamespace: config.preferredServiceNamespace,
    };
    this.#ipv6 = config.ipv6Enabled;
    this.#deps = deps;
  }

  /** The answer to a message, at once when the mesh has it; undefined when it deserves none. Never rejects. */
  handle(bytes: Uint8Array, transport: DnsTransport): Buffer | undefined | Promise<Buffer | undefined> {
    const admission = admitQuery(bytes, transport);
    if (admission.kind === 'ignored') return undefined;
    if (admission.kind === 'reply') return admission.bytes;
    const { query } = admission;
    const known = this.#deps.client();
    const series = this.#deps.metrics.series(recordTypeName(query.question.type), transport, known);
    series.requests++;
    const client = known ?? this.#deps.clientBefore();
    if (client === undefined) return this.#failure(query, transport, 'the pod is gone');
    const family = familyOf(query);
    const found = family && lookupMeshName(this.#deps.state, client, query.question.name.toLowerCase(), this.#lookup);
    if (family === undefined || found === undefined) return this.#forward(query, bytes, transport, series);
    const hidden = family === 'v6' && !this.#ipv6;
    const addresses = hidden ? [] : meshAddresses(this.#deps.state, client, found.service, family);
    return this.#meshReply(query, transport, found, addresses);
  }

  #meshReply(query: DnsQuery, transport: DnsTransport, found: MeshName, addresses: readonly IpAddress[]): Buffer {
    const asked = query.question.name;
    const name = found.alias ?? asked;
    const ttlSec = MESH_TTL_SEC;
    const records: DnsAnswer[] = shuffled(addresses, this.#deps.random).map((address) => ({
      name,
      ttlSec,
      data: { kind: 'address', address },
    }));
    const cname: DnsAnswer[] =
      found.alias === undefined || records.length === 0
        ? []
        : [{ name: asked, ttlSec, data: { kind: 'cname', target: found.alias } }];
    this.#log(query, transport, { source: 'mesh', service: found.service.hostname, answers: addresses.length });
    return encodeDnsReply({
      query,
      rcode: RCODE.NOERROR,
      authoritative: true,
      recursionAvailable: true,
      answers: [...cname, ...records],
      transport,
    });
  }

  async #forward(query: DnsQuery, bytes: Uint8Array, transport: DnsTransport, series: DnsSeries): Promise<Buffer> {
    const { clock, forwarder } = this.#deps;
    const startMs = clock.monotonicMs();
    series.upstreamRequests++;
    const result = await forwarder.forward(query, bytes, transport);
    observeUpstreamDuration(series, (clock.monotonicMs() - startMs) / 1000);
    if (result.kind === 'failed') {
      series.upstreamFailures++;
      return this.#failure(query, transport, result.reason);
    }
    const { answer } = result;
    if (UPSTREAM_ERRORS.has(answer.rcode)) series.upstreamFailures++;
    this.#log(query, transport, { source: 'upstream', rcode: answer.rcode });
    return passOnAnswer(answer, query, transport);
  }

  #failure(query: DnsQuery, transport: DnsTransport, error: string): Buffer {
    this.#log(query, transport, { source: 'none', error });
    const flags = { authoritative: false, recursionAvailable: true };
    return encodeDnsReply({ query, rcode: RCODE.SERVFAIL, ...flags, answers: [], transport });
  }

  #log(query: DnsQuery, transport: DnsTransport, fields: Readonly<Record<string, string | number>>): void {
    const { logger } = this.#deps;
    if (!logger.enabled('debug')) return;
    const { name, type } = query.question;
    logger.debug('query', { name, type: recordTypeName(type), protocol: transport, ...fields });
  }
}

/** The family of the addresses asked for; undefined for all that the mesh does not answer. */
function familyOf({ question }: DnsQuery): 'v4' | 'v6' | undefined {
  if (question.class !== CLASS_IN) return undefined;
  if (question.type === RECORD_TYPE.A) return 'v4';
  return question.type === RECORD_TYPE.AAAA ? 'v6' : undefined;
}

/** Fisher-Yates, so that clients that take the first address spread over all. */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const result = [...items];
  for (let index = result.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    const item = result[index] as T;
    result[index] = result[other] as T;
    result[other] = item;
  }
  return result;
}
