/** The DNS proxy from inside captured pods (facts ztunnel-wire 12): local names, forwarding, failures, metrics. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { parseDnsQuery } from '../../src/dns/dns-message.ts';
import { encodeDnsReply } from '../../src/dns/dns-reply.ts';
import { DnsTcpSession } from '../../src/dns/dns-tcp-session.ts';
import { type IpAddress, parseIpAddress } from '../../src/model/address.ts';
import { createService, type Service } from '../../src/model/service.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import { bindUdp } from '../../src/net/udp-socket.ts';
import { LogFilter } from '../../src/telemetry/log-filter.ts';
import { startZtunnel } from '../../src/ztunnel/app.ts';
import { readZtunnelConfig } from '../../src/ztunnel/config.ts';
import { MAX_FORWARDED_QUERIES } from '../../src/ztunnel/data/dns-forwarder.ts';
import { askTcp, askUdp, queryBytes, type SeenAnswer, TYPE_A, TYPE_AAAA, TYPE_TXT } from '../helpers/dns-query.ts';
import { eventually } from '../helpers/eventually.ts';
import { MeshLab, type MeshLabOptions } from '../helpers/mesh-lab.ts';
import { enterPrivateNetns, type LabPod } from '../helpers/netns.ts';
import { openSocketCount } from '../helpers/open-descriptors.ts';

enterPrivateNetns(import.meta.url);

/** Any address that is not the pod's: port 53 of all of them leads to the proxy. */
const ANY_V4 = '192.0.2.53';
const ANY_V6 = '2001:db8::53';

function ip(text: string): IpAddress {
  const address = parseIpAddress(text);
  assert.ok(address);
  return address;
}

function service(hostname: string, vips: readonly string[], fields: Partial<Service> = {}): Service {
  const [name = '', namespace = 'default'] = hostname.split('.');
  return createService({
    name,
    namespace: hostname.endsWith('.cluster.local') ? namespace : 'default',
    hostname,
    vips: vips.map((vip) => ({ network: '', address: ip(vip) })),
    canonical: hostname.endsWith('.cluster.local'),
    ...fields,
  });
}

/** A folder with a resolv.conf that the test writes, and a lab that reads it. */
class DnsLab implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ambit-dns-'));
  readonly path = join(this.#folder, 'resolv.conf');
  mesh!: MeshLab;

  static async start(options: MeshLabOptions = {}): Promise<DnsLab> {
    const lab = new DnsLab();
    lab.setServers();
    const env = { AMBIT_RESOLV_CONF: lab.path, RUST_LOG: 'info,dns=debug', ...options.env };
    lab.mesh = await MeshLab.start({ ...options, env });
    return lab;
  }

  setServers(...addresses: string[]): void {
    writeFileSync(this.path, ['search example.org', ...addresses.map((one) => `nameserver ${one}`), ''].join('\n'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface SeenQuery {
  readonly id: number;
  readonly name: string;
  readonly transport: 'udp' | 'tcp';
  readonly source: string;
  readonly sourcePort: number;
}

interface FakeUpstream extends AsyncDisposable {
  readonly queries: SeenQuery[];
}

/** A name server in a pod: `answers(n)` addresses of 203.0.113.0/24 for every name, cut over UDP like a real one. */
async function serveUpstream(
  pod: LabPod,
  options: { address?: string; count?: number; rcode?: number; falseIdsFirst?: boolean } = {},
): Promise<FakeUpstream> {
  const { address: served = '0.0.0.0', count = 1, rcode = 0, falseIdsFirst = false } = options;
  const queries: SeenQuery[] = [];
  const answer = (bytes: Uint8Array, transport: 'udp' | 'tcp', source: string, sourcePort: number) => {
    const parsed = parseDnsQuery(bytes);
    if (parsed.kind !== 'query') return undefined;
    const { query } = parsed;
    queries.push({ id: query.id, name: query.question.name, transport, source, sourcePort });
    return encodeDnsReply({
      query,
      rcode,
      authoritative: false,
      recursionAvailable: true,
      transport,
      answers: Array.from({ length: count }, (_, index) => ({
        name: query.question.name,
        ttlSec: 77,
        data: { kind: 'address', address: ip(`203.0.113.${index + 1}`) },
      })),
    });
  };
  const udp = await bindUdp({ endpoint: { address: served, port: 53 }, netnsFd: pod.fd });
  udp.on('message', (message, { address, port }) => {
    const reply = answer(message, 'udp', address, port);
    if (reply === undefined) return;
    if (falseIdsFirst) {
      const forged = Buffer.from(reply);
      forged.writeUInt16BE((reply.readUInt16BE(0) + 1) & 0xffff, 0);
      forged.writeUInt8(66, forged.length - 1);
      udp.send(forged, port, address);
    }
    udp.send(reply, port, address);
  });
  const sessions = new Set<DnsTcpSession>();
  const tcp = await listenTcp(
    { endpoint: { address: served, port: 53 }, netnsFd: pod.fd },
    {
      onConnection: (connection) => {
        const { address, port } = connection.peer;
        const handle = (message: Uint8Array) => answer(message, 'tcp', address, port);
        const onClose = (session: DnsTcpSession) => void sessions.delete(session);
        sessions.add(new DnsTcpSession(connection.open(), { clock: systemClock, handle, onClose }));
      },
    },
  );
  return {
    queries,
    [Symbol.asyncDispose]: async () => {
      tcp.close();
      for (const session of sessions) session.close();
      udp.close();
    },
  };
}

/** One question over both protocols and both families: all four answers have to agree. */
async function askEveryWay(pod: LabPod, name: string, type: number = TYPE_A): Promise<SeenAnswer> {
  const query = queryBytes(name, type);
  const answers: SeenAnswer[] = [];
  for (const address of [ANY_V4, ANY_V6]) {
    answers.push(await askUdp({ netnsFd: pod.fd, address }, query));
    answers.push(...(await askTcp({ netnsFd: pod.fd, address }, query)));
  }
  const [first] = answers;
  assert.ok(first);
  for (const other of answers) {
    assert.equal(other.rcode, first.rcode);
    assert.deepEqual([...other.addresses].sort(), [...first.addresses].sort());
    assert.deepEqual(other.cnames, first.cnames);
  }
  return first;
}

describe('a captured pod', () => {
  it('gets mesh names answered over UDP and TCP, IPv4 and IPv6, in every short form', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    mesh.apply([
      { kind: 'service', service: service('echo.default.svc.cluster.local', ['10.96.0.20', 'fd00:96::20']) },
      { kind: 'service', service: service('db.other.svc.cluster.local', ['10.96.0.30']) },
    ]);
    for (const name of ['echo', 'echo.default', 'echo.default.svc', 'ECHO.default.svc.Cluster.Local']) {
      const answer = await askEveryWay(client, name);
      assert.deepEqual([answer.rcode, answer.addresses, answer.cnames], [0, ['10.96.0.20'], []], name);
      assert.equal(answer.message.questions[0]?.name, name);
      assert.ok(answer.message.authoritative && answer.message.recursionAvailable);
      assert.equal(answer.message.answers[0]?.ttlSec, 30);
    }
    assert.deepEqual((await askEveryWay(client, 'echo', TYPE_AAAA)).addresses, ['fd00:96::20']);
    assert.deepEqual((await askEveryWay(client, 'db.other')).addresses, ['10.96.0.30']);
    const none = await askEveryWay(client, 'db.other', TYPE_AAAA);
    assert.deepEqual([none.rcode, none.addresses, none.message.authoritative], [0, [], true]);
  });

  it('gets the endpoints of a headless service, and a ServiceEntry host through the search list by CNAME', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    const member = { services: new Map([['default/heads.default.svc.cluster.local', new Map([[80, 80]])]]) };
    const one = await mesh.addPod('one', { workload: member });
    const two = await mesh.addPod('two', { workload: member });
    mesh.apply([
      { kind: 'service', service: service('heads.default.svc.cluster.local', []) },
      { kind: 'service', service: service('api.example.com', ['240.240.0.1']) },
      { kind: 'service', service: service('*.wild.example', ['240.240.0.2']) },
    ]);
    assert.deepEqual([...(await askEveryWay(client, 'heads')).addresses].sort(), [one.ip, two.ip].sort());
    const searched = 'api.example.com.default.svc.cluster.local';
    const answer = await askEveryWay(client, searched);
    assert.deepEqual([answer.addresses, answer.cnames], [['240.240.0.1'], [`${searched} -> api.example.com`]]);
    const wild = await askEveryWay(client, 'a.b.wild.example.svc.cluster.local');
    assert.deepEqual([wild.addresses, wild.cnames], [['240.240.0.2'], []]);
  });

  it('resolves with the programs that applications use', async () => {
    // The programs run while this thread waits for them, so the proxy needs one of its own.
    await using lab = await DnsLab.start({ workers: true, env: { RUST_LOG: 'off' } });
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    mesh.apply([
      { kind: 'service', service: service('echo.default.svc.cluster.local', ['10.96.0.20', 'fd00:96::20']) },
      { kind: 'service', service: service('api.example.com', ['240.240.0.1']) },
    ]);
    const stub = join(lab.path, '..', 'stub.conf');
    const search = 'search default.svc.cluster.local svc.cluster.local cluster.local';
    const inPod = (server: string, extra: string, ...command: string[]) => {
      writeFileSync(stub, `nameserver ${server}\n${search}\noptions ndots:5 timeout:2 attempts:1 ${extra}\n`);
      const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
      return client.exec('unshare', '--mount', 'sh', '-c', script, stub, ...command);
    };
    for (const server of [ANY_V4, ANY_V6]) {
      for (const extra of ['', 'use-vc', 'edns0']) {
        assert.match(inPod(server, extra, 'getent', 'ahostsv4', 'echo'), /^10\.96\.0\.20\s+STREAM/);
        assert.match(inPod(server, extra, 'getent', 'ahostsv6', 'echo.default'), /^fd00:96::20\s+STREAM/);
        assert.match(inPod(server, extra, 'getent', 'ahostsv4', 'api.example.com'), /^240\.240\.0\.1\s+STREAM/);
      }
      const program = 'use Socket; print inet_ntoa(scalar gethostbyname("echo.default.svc.cluster.local"))';
      assert.equal(inPod(server, '', 'perl', '-e', program), '10.96.0.20');
    }
  });

  it('is served on IPv4 alone when its loopback has no IPv6', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const pod = mesh.net.addPod('v4only');
    pod.exec('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6');
    const other = await mesh.addPod('other', { enrolled: true });
    const workload = { ...other.workload, uid: 'v4only', name: 'v4only', serviceAccount: 'v4only' };
    mesh.apply([
      { kind: 'workload', workload },
      { kind: 'service', service: service('echo.default.svc.cluster.local', ['10.96.0.20']) },
    ]);
    await mesh.enrol(pod, workload);
    const answer = await askUdp({ netnsFd: pod.fd, address: ANY_V4 }, queryBytes('echo'));
    assert.deepEqual(answer.addresses, ['10.96.0.20']);
    assert.doesNotMatch(pod.exec('ss', '-lunH'), /\[::1\]:15053/);
    assert.match(other.exec('ss', '-lunH'), /\[::1\]:15053/);
  });

  it('is not ready while somebody else has the port', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const pod = mesh.net.addPod('taken');
    const squatter = await bindUdp({ endpoint: { address: '127.0.0.1', port: 15053 }, netnsFd: pod.fd });
    const workload = { ...(await mesh.addPod('other')).workload, name: 'taken', serviceAccount: 'taken' };
    await assert.rejects(mesh.enrol(pod, workload));
    assert.equal(mesh.ztunnel.ready(), false);
    const text = 'cannot listen for DNS on 127.0.0.1:15053';
    assert.ok(mesh.log.some((line) => line.includes('failed to start proxy') && line.includes(text)));
    assert.doesNotMatch(pod.exec('ss', '-ltnH'), /:15/);
    squatter.close();
  });
});

describe('names outside the mesh', () => {
  it('go to the name server from the pod itself, under a new id, and come back under the old one', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server');
    await using upstream = await serveUpstream(server, { falseIdsFirst: true });
    lab.setServers(server.ipv4);
    for (let id = 1; id <= 20; id++) {
      const answer = await askUdp({ netnsFd: client.fd, address: ANY_V4 }, queryBytes('Example.ORG', TYPE_A, { id }));
      assert.deepEqual([answer.message.id, answer.addresses], [id, ['203.0.113.1']]);
      assert.equal(answer.message.questions[0]?.name, 'Example.ORG');
    }
    assert.equal(upstream.queries.length, 20);
    assert.ok(upstream.queries.every(({ source }) => source === client.ipv4));
    assert.ok(new Set(upstream.queries.map(({ sourcePort }) => sourcePort)).size > 10, 'source ports vary');
    assert.ok(new Set(upstream.queries.map(({ id }) => id)).size > 10, 'ids vary');
    assert.ok(upstream.queries.filter(({ id }, index) => id === index + 1).length < 5, 'ids are not the client ones');
    const [overTcp] = await askTcp({ netnsFd: client.fd, address: ANY_V6 }, queryBytes('example.org', TYPE_TXT));
    assert.equal(overTcp?.message.id, 0x1234);
    assert.equal(upstream.queries.at(-1)?.transport, 'tcp');
  });

  it('go to a name server of IPv6 as well, over both protocols', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server');
    await using upstream = await serveUpstream(server, { address: server.ipv6 });
    lab.setServers(server.ipv6);
    assert.deepEqual((await askEveryWay(client, 'example.org')).addresses, ['203.0.113.1']);
    const seen = upstream.queries.map(({ transport, source }) => `${transport} ${source}`);
    assert.deepEqual(
      seen,
      ['udp', 'tcp', 'udp', 'tcp'].map((transport) => `${transport} ${client.ipv6}`),
    );
  });

  it('are asked again over TCP when the answer was cut, and counted', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server');
    await using upstream = await serveUpstream(server, { count: 100 });
    lab.setServers(server.ipv4);
    const small = await askUdp({ netnsFd: client.fd, address: ANY_V4 }, queryBytes('many.example'));
    assert.deepEqual([small.message.truncated, small.bytes.length <= 512], [true, true]);
    assert.deepEqual(
      upstream.queries.map(({ transport }) => transport),
      ['udp', 'tcp'],
    );
    const [whole] = await askTcp({ netnsFd: client.fd, address: ANY_V4 }, queryBytes('many.example'));
    assert.deepEqual([whole?.message.truncated, whole?.addresses.length], [false, 100]);
    mesh.apply([{ kind: 'service', service: service('echo.default.svc.cluster.local', ['10.96.0.20']) }]);
    await askUdp({ netnsFd: client.fd, address: ANY_V4 }, queryBytes('echo'));
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    const labels = (protocol: string) =>
      `{request_query_type="A",request_protocol="${protocol}",source_canonical_service="client",source_canonical_revision="latest"`;
    assert.ok(body.includes(`istio_dns_requests_total${labels('udp')}} 2\n`), body);
    assert.ok(body.includes(`istio_dns_requests_total${labels('tcp')}} 1\n`));
    assert.ok(body.includes(`istio_dns_upstream_requests_total${labels('udp')}} 1\n`));
    assert.ok(body.includes(`istio_dns_upstream_request_duration_seconds_count${labels('udp')}} 1\n`));
    assert.ok(body.includes(`istio_dns_upstream_request_duration_seconds_bucket${labels('udp')},le="+Inf"} 1\n`));
    assert.ok(!body.includes('istio_dns_upstream_failures'));
    assert.ok(mesh.log.some((line) => /\tdebug\tdns\tquery\t.*name="echo" type="A" protocol="udp"/.test(line)));
  });

  it('carry the result code of upstream, and SERVFAIL when it is silent, refuses, or is not configured', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    const server = await mesh.addPod('server');
    const ask = () => askUdp({ netnsFd: client.fd, address: ANY_V4 }, queryBytes('nowhere.example'));
    assert.equal((await ask()).rcode, 2, 'no server');
    {
      await using _upstream = await serveUpstream(server, { count: 0, rcode: 3 });
      lab.setServers(server.ipv4);
      await delayForFileCheck();
      assert.equal((await ask()).rcode, 3);
    }
    assert.equal((await ask()).rcode, 2, 'nobody listens');
    assert.equal((await askTcp({ netnsFd: client.fd, address: ANY_V4 }, queryBytes('nowhere.example')))[0]?.rcode, 2);
    server.exec('ip', 'link', 'set', 'eth0', 'down');
    assert.equal((await ask()).rcode, 2, 'nobody is there');
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    assert.match(body, /istio_dns_upstream_failures_total\{request_query_type="A",request_protocol="udp"[^}]*\} 3\n/);
  });

  it('are bounded in number, answered all the same, and leave no descriptor behind', async () => {
    await using lab = await DnsLab.start({ env: { RUST_LOG: 'off' } });
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    mesh.apply([{ kind: 'service', service: service('echo.default.svc.cluster.local', ['10.96.0.20']) }]);
    // Nobody has this address: what is sent there is lost.
    lab.setServers('10.77.255.254');
    client.exec('ip', 'route', 'add', '10.77.255.254', 'via', mesh.net.nodeIpv4);
    const socket = await bindUdp({ endpoint: { address: '0.0.0.0', port: 0 }, netnsFd: client.fd });
    using _closing = { [Symbol.dispose]: () => void socket.close() };
    const before = openSocketCount();
    const failed = new Set<number>();
    socket.on('message', (message: Buffer) => {
      if ((message.readUInt8(3) & 15) === 2) failed.add(message.readUInt16BE(0));
    });
    for (let id = 0; id < 1000; id++) {
      socket.send(queryBytes('unknown.example', TYPE_A, { id }), 53, ANY_V4);
      if (id % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually('the first refusals', () => failed.size > 0);
    assert.ok(openSocketCount() - before <= MAX_FORWARDED_QUERIES, 'one socket per query in flight');
    const local = await askUdp({ netnsFd: client.fd, address: ANY_V4 }, queryBytes('echo'));
    assert.deepEqual(local.addresses, ['10.96.0.20']);
    // Datagrams of a burst may be dropped; every one that arrived is answered.
    await eventually('all answers', () => openSocketCount() <= before);
    assert.ok(failed.size > MAX_FORWARDED_QUERIES, `${failed.size} answers`);
  });

  it('are answered for a pod that the feed does not know yet, since its programs ask before the control plane does', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    mesh.apply([{ kind: 'service', service: service('echo.default.svc.cluster.local', ['10.96.0.20']) }]);
    mesh.apply([{ kind: 'remove-address', name: client.workload.uid }]);
    const answer = await askUdp({ netnsFd: client.fd, address: ANY_V4 }, queryBytes('echo'));
    assert.deepEqual(answer.addresses, ['10.96.0.20']);
  });
});

describe('the DNS proxy', () => {
  it('answers garbage with at most as many bytes, or not at all, and lives on', async () => {
    await using lab = await DnsLab.start();
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    mesh.apply([{ kind: 'service', service: service('echo.default.svc.cluster.local', ['10.96.0.20']) }]);
    const socket = await bindUdp({ endpoint: { address: '0.0.0.0', port: 0 }, netnsFd: client.fd });
    let received = 0;
    let sent = 0;
    socket.on('message', (message) => {
      received += message.length;
    });
    const query = queryBytes('echo');
    for (let length = 0; length < query.length; length++) {
      for (const bytes of [query.subarray(0, length), Buffer.alloc(length, 0xff), Buffer.alloc(length)]) {
        sent += bytes.length;
        socket.send(bytes, 53, ANY_V4);
      }
    }
    const status = await askUdp({ netnsFd: client.fd, address: ANY_V4 }, queryBytes('echo', TYPE_A, { opcode: 2 }));
    assert.equal(status.rcode, 4);
    const answer = await askUdp({ netnsFd: client.fd, address: ANY_V4 }, query);
    assert.deepEqual(answer.addresses, ['10.96.0.20']);
    assert.ok(received > 0 && received <= sent, `${received} of ${sent}`);
    socket.close();
  });

  it('serves the workload of dedicated mode, and is waited for', async () => {
    const services = 'services: [{name: a, namespace: ns, hostname: a.example, vips: [/240.240.0.9], ports: {80: 80}}]';
    const workload = '{uid: w, name: w, namespace: ns, serviceAccount: sa, workloadIps: [10.9.9.9], services: {}}';
    const config = readZtunnelConfig({
      PROXY_MODE: 'dedicated',
      PROXY_WORKLOAD_INFO: 'ns/w/sa',
      LOCAL_XDS: `workloads: [${workload}]\n${services}\n`,
      XDS_ADDRESS: '',
      FAKE_CA: 'true',
      ISTIO_META_DNS_PROXY_ADDR: '127.0.0.1:0',
      ...Object.fromEntries(
        ['ADMIN', 'STATS', 'READINESS', 'INBOUND', 'INBOUND_PLAINTEXT', 'OUTBOUND'].map((name) => [
          `${name}_PORT`,
          '0',
        ]),
      ),
    });
    const ztunnel = await startZtunnel(config, {
      clock: systemClock,
      random: Math.random,
      logger: silentLogger,
      logFilter: new LogFilter('off'),
      version: { version: 'test' },
      inThread: true,
      onExit: () => undefined,
    });
    const port = ztunnel.dedicatedPorts?.dns;
    assert.ok(port !== undefined);
    assert.deepEqual((await askUdp({ address: '::1', port }, queryBytes('a.example'))).addresses, ['240.240.0.9']);
    assert.deepEqual((await askTcp({ address: '127.0.0.1', port }, queryBytes('a.example')))[0]?.addresses, [
      '240.240.0.9',
    ]);
    await eventually('ztunnel is ready', () => ztunnel.ready());
    await ztunnel.stop();
  });

  it('serves from two worker threads', async () => {
    await using lab = await DnsLab.start({ workers: true, env: { ZTUNNEL_WORKER_THREADS: '2', RUST_LOG: 'off' } });
    const { mesh } = lab;
    const client = await mesh.addPod('client', { enrolled: true });
    mesh.apply([{ kind: 'service', service: service('echo.default.svc.cluster.local', ['10.96.0.20']) }]);
    for (let call = 0; call < 20; call++) {
      assert.deepEqual((await askEveryWay(client, 'echo')).addresses, ['10.96.0.20']);
    }
    const { body } = await mesh.fetch(mesh.ztunnel.metricsPort, '/metrics');
    assert.match(body, /istio_dns_requests_total\{request_query_type="A",request_protocol="udp"[^}]*\} 40\n/);
  });
});

/** The proxy looks at its resolv.conf once in a second. */
function delayForFileCheck(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1100));
}
