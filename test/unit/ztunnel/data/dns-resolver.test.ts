import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../../src/base/logger.ts';
import { parseDnsQuery } from '../../../../src/dns/dns-message.ts';
import { encodeDnsReply } from '../../../../src/dns/dns-reply.ts';
import { MeshState } from '../../../../src/mesh/mesh-state.ts';
import { parseIpAddress } from '../../../../src/model/address.ts';
import { createService } from '../../../../src/model/service.ts';
import { createWorkload, type Workload } from '../../../../src/model/workload.ts';
import type { ForwardResult } from '../../../../src/ztunnel/data/dns-forwarder.ts';
import { DnsMetrics } from '../../../../src/ztunnel/data/dns-metrics.ts';
import { DnsResolver } from '../../../../src/ztunnel/data/dns-resolver.ts';
import { queryBytes, readAnswer, TYPE_A, TYPE_AAAA, TYPE_TXT } from '../../../helpers/dns-query.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

const POD = createWorkload({ uid: 'pod', namespace: 'ns', canonicalName: 'web', canonicalRevision: 'v1' });

interface LabOptions {
  readonly client?: Workload | undefined;
  readonly clientBefore?: { readonly namespace: string; readonly network: string };
  readonly ipv6?: boolean;
  readonly upstream?: ForwardResult;
  readonly random?: () => number;
}

class Lab {
  readonly state = new MeshState();
  readonly metrics = new DnsMetrics();
  readonly clock = new ManualClock();
  readonly forwarded: string[] = [];
  readonly resolver: DnsResolver;

  constructor(options: LabOptions = {}) {
    const client = 'client' in options ? options.client : POD;
    this.resolver = new DnsResolver(
      { clusterDomain: 'Cluster.Local', preferredServiceNamespace: undefined, ipv6Enabled: options.ipv6 ?? true },
      {
        state: this.state,
        clock: this.clock,
        logger: silentLogger,
        random: options.random ?? (() => 0),
        metrics: this.metrics,
        client: () => client,
        clientBefore: () => options.clientBefore,
        forwarder: {
          forward: async (query, _bytes, transport) => {
            this.forwarded.push(`${query.question.name} ${query.question.type} ${transport}`);
            this.clock.advance(20);
            return options.upstream ?? { kind: 'failed', reason: 'no upstream here' };
          },
        },
      },
    );
  }

  add(hostname: string, ...vips: string[]): this {
    const addresses = vips.map((text) => ({ network: '', address: parseIpAddress(text) ?? assert.fail(text) }));
    this.state.apply([{ kind: 'service', service: createService({ namespace: 'ns', hostname, vips: addresses }) }]);
    return this;
  }

  async ask(bytes: Buffer, transport: 'udp' | 'tcp' = 'udp') {
    const reply = await this.resolver.handle(bytes, transport);
    return reply && readAnswer(reply);
  }

  counter(name: string): (readonly [string, number])[] {
    const family = this.metrics.families().find((one) => one.name === name);
    return (family?.samples ?? []).map(({ labels, value }) => [labels, value] as const);
  }
}

const LABELS = (type: string, protocol: string, service = 'web', revision = 'v1') =>
  `request_query_type="${type}",request_protocol="${protocol}",source_canonical_service="${service}",source_canonical_revision="${revision}"`;

describe('DnsResolver', () => {
  it('answers a mesh name with authority, 30 s to live, and its addresses in random order', async () => {
    const lab = new Lab({ random: () => 0 }).add('a.example', '10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::1');
    const answer = await lab.ask(queryBytes('A.Example'));
    assert.deepEqual(answer?.addresses, ['10.0.0.2', '10.0.0.3', '10.0.0.1']);
    assert.ok(answer?.message.authoritative && answer.message.recursionAvailable);
    assert.ok(answer.message.answers.every(({ ttlSec, name }) => ttlSec === 30 && name === 'A.Example'));
    assert.deepEqual(lab.forwarded, []);
    assert.deepEqual(lab.counter('istio_dns_requests'), [[LABELS('A', 'udp'), 1]]);
    assert.deepEqual(lab.counter('istio_dns_upstream_requests'), []);
  });

  it('answers a known name without such addresses with nothing, and asks nobody else', async () => {
    const lab = new Lab({ ipv6: false }).add('a.example', '10.0.0.1', 'fd00::1');
    const answer = await lab.ask(queryBytes('a.example', TYPE_AAAA));
    assert.deepEqual([answer?.rcode, answer?.addresses, answer?.message.authoritative], [0, [], true]);
    assert.deepEqual(lab.forwarded, []);
  });

  it('forwards unknown names, other types, and other classes', async () => {
    const lab = new Lab().add('a.example', '10.0.0.1');
    await lab.ask(queryBytes('b.example'));
    await lab.ask(queryBytes('a.example', TYPE_TXT), 'tcp');
    await lab.ask(queryBytes('a.example', TYPE_A, { class: 3 }));
    await lab.ask(queryBytes(''));
    assert.deepEqual(lab.forwarded, ['b.example 1 udp', 'a.example 16 tcp', 'a.example 1 udp', ' 1 udp']);
    assert.deepEqual(lab.counter('istio_dns_upstream_requests'), [
      [LABELS('A', 'udp'), 3],
      [LABELS('TXT', 'tcp'), 1],
    ]);
  });

  it('answers SERVFAIL without an answer from upstream, and counts it', async () => {
    const lab = new Lab();
    const answer = await lab.ask(queryBytes('b.example', TYPE_A, { edns: { payloadBytes: 1400 } }));
    assert.deepEqual([answer?.rcode, answer?.message.additionals[0]?.class], [2, 1400]);
    assert.deepEqual(lab.counter('istio_dns_upstream_failures'), [[LABELS('A', 'udp'), 1]]);
    const durations = lab.counter('istio_dns_upstream_request_duration_seconds').map(([, value]) => value);
    assert.deepEqual(durations, [0, 0, 0, 1, 1, 1, 1, 0.02, 1]);
  });

  it('passes the result code of upstream on; NXDOMAIN is no failure, REFUSED is one', async () => {
    for (const [rcode, failures] of [
      [3, 0],
      [5, 1],
    ] as const) {
      const parsed = parseDnsQuery(queryBytes('b.example', TYPE_A, { id: 9 }));
      assert.ok(parsed.kind === 'query');
      const flags = { authoritative: false, recursionAvailable: true };
      const bytes = encodeDnsReply({ query: parsed.query, rcode, ...flags, answers: [], transport: 'udp' });
      const answer = { bytes, rcode, truncated: false, hasQuestion: true };
      const lab = new Lab({ upstream: { kind: 'answer', answer } });
      const seen = await lab.ask(queryBytes('b.example', TYPE_A, { id: 4242 }));
      assert.deepEqual([seen?.rcode, seen?.message.id], [rcode, 4242]);
      assert.equal(lab.counter('istio_dns_upstream_failures').length, failures);
    }
  });

  it('answers a pod that has no record yet by what the agent said of it, and forwards the rest', async () => {
    const lab = new Lab({ client: undefined, clientBefore: { namespace: 'ns', network: '' } });
    lab.add('web.ns.svc.cluster.local', '10.0.0.1');
    assert.equal((await lab.ask(queryBytes('web')))?.rcode, 0);
    await lab.ask(queryBytes('elsewhere.example'));
    assert.deepEqual(lab.forwarded, ['elsewhere.example 1 udp']);
    assert.deepEqual(lab.counter('istio_dns_requests'), [[LABELS('A', 'udp', 'unknown', 'unknown'), 2]]);
  });

  it('answers SERVFAIL for a pod that is gone, whatever is asked', async () => {
    const lab = new Lab({ client: undefined }).add('a.example', '10.0.0.1');
    assert.equal((await lab.ask(queryBytes('a.example')))?.rcode, 2);
    assert.deepEqual(lab.forwarded, []);
    assert.deepEqual(lab.counter('istio_dns_requests'), [[LABELS('A', 'udp', 'unknown', 'unknown'), 1]]);
  });

  it('answers malformed queries with an error and ignores answers', async () => {
    const lab = new Lab();
    const query = queryBytes('a.example');
    assert.equal((await lab.ask(query.subarray(0, 20)))?.rcode, 1);
    assert.equal((await lab.ask(queryBytes('a', TYPE_A, { opcode: 4 })))?.rcode, 4);
    query.writeUInt8(0x80, 2);
    assert.equal(await lab.ask(query), undefined);
    assert.deepEqual(lab.counter('istio_dns_requests'), []);
  });
});
