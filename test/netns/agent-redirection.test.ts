import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import {
  DEFAULT_PROBE_ADDRESS_V4,
  DEFAULT_PROBE_ADDRESS_V6,
  type InPodRuleOptions,
} from '../../src/agent/in-pod-rules.ts';
import { RuleApplier } from '../../src/agent/rule-applier.ts';
import { runCommand } from '../../src/agent/run-command.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import { bindUdp } from '../../src/net/udp-socket.ts';
import { enterPrivateNetns, type LabPod, NetnsLab, run } from '../helpers/netns.ts';
import { ask, labelServer } from '../helpers/netns-traffic.ts';

enterPrivateNetns(import.meta.url);

const MARK = 0x539;
const OPTIONS: InPodRuleOptions = {
  dnsCapture: true,
  ingressMode: false,
  rerouteVirtualInterfaces: [],
  probeAddressV4: DEFAULT_PROBE_ADDRESS_V4,
  probeAddressV6: DEFAULT_PROBE_ADDRESS_V6,
  ipv6: true,
};

/** A listener as ztunnel opens it in a pod. */
const inPod = (pod: LabPod, port: number) => ({
  netnsFd: pod.fd,
  endpoint: { address: '::', port },
  mark: MARK,
  transparent: 'required' as const,
  reusePort: true,
  originalDst: true,
});
/** A listener as an application opens it. */
const app = (pod: LabPod, port: number) => ({ netnsFd: pod.fd, endpoint: { address: '::', port } });

/** A transparent proxy on 15006: connects to the original destination with the client's address as source. */
async function transparentProxy(pod: LabPod): Promise<Disposable> {
  const listener = await listenTcp(inPod(pod, 15006), {
    onConnection: (connection) => {
      const downstream = connection.open();
      dialTcp({
        netnsFd: pod.fd,
        mark: MARK,
        destination: connection.originalDestination,
        spoofedSource: connection.peer.address,
      }).then(
        (upstream) => {
          upstream.on('error', () => downstream.destroy());
          downstream.on('error', () => upstream.destroy());
          downstream.pipe(upstream).pipe(downstream);
        },
        () => downstream.destroy(),
      );
    },
  });
  return { [Symbol.dispose]: () => listener.close() };
}

/** Sends a datagram and returns the answer with the address it came from. */
async function query(pod: LabPod, to: string, mark?: number): Promise<string> {
  const family = to.includes(':') ? '::' : '0.0.0.0';
  const socket = await bindUdp({ netnsFd: pod.fd, endpoint: { address: family, port: 0 }, ...(mark ? { mark } : {}) });
  try {
    socket.send('?', 53, to);
    const [message, from] = await once(socket, 'message', { signal: AbortSignal.timeout(3000) });
    return `${message} from ${from.address}`;
  } finally {
    socket.close();
  }
}

async function udpServer(pod: LabPod, address: string, port: number, label: string) {
  const socket = await bindUdp({ netnsFd: pod.fd, endpoint: { address, port }, mark: MARK });
  socket.on('message', (_, from) => socket.send(label, from.port, from.address));
  return { [Symbol.dispose]: () => socket.close() };
}

for (const backend of ['iptables', 'nft'] as const) {
  describe(`in-pod redirection with ${backend}`, () => {
    const lab = new NetnsLab();
    const pod = lab.addPod('enrolled');
    const other = lab.addPod('other');
    const applier = new RuleApplier(backend, { run: runCommand, log: silentLogger });
    const families = [
      { version: 'IPv4', pod: pod.ipv4, other: other.ipv4, loopback: '127.0.0.1' },
      { version: 'IPv6', pod: pod.ipv6, other: other.ipv6, loopback: '::1' },
    ];
    before(() => applier.apply(pod.path, OPTIONS));
    after(() => lab[Symbol.dispose]());

    for (const ip of families) {
      it(`sends outbound ${ip.version} to 15001 and keeps the original destination`, async () => {
        await using capture = await labelServer('captured', inPod(pod, 15001));
        assert.equal(
          await ask({ netnsFd: pod.fd, destination: { address: ip.other, port: 8080 } }),
          `captured ${ip.pod}`,
        );
        assert.deepEqual(capture.connections[0]?.originalDestination, { address: ip.other, port: 8080 });
      });

      it(`lets marked ${ip.version} connections of ztunnel out`, async () => {
        await using _server = await labelServer('direct', app(other, 8080));
        const destination = { address: ip.other, port: 8080 };
        assert.equal(await ask({ netnsFd: pod.fd, mark: MARK, destination }), `direct ${ip.pod}`);
      });

      it(`sends inbound ${ip.version} to 15006 and keeps the original destination`, async () => {
        await using capture = await labelServer('captured', inPod(pod, 15006));
        const destination = { address: ip.pod, port: 8080 };
        assert.equal(await ask({ netnsFd: other.fd, destination }), `captured ${ip.other}`);
        assert.deepEqual(capture.connections[0]?.originalDestination, destination);
      });

      it(`serves ${ip.version} on 15008 without redirection`, async () => {
        await using hbone = await labelServer('hbone', inPod(pod, 15008));
        await using _capture = await labelServer('captured', inPod(pod, 15006));
        const destination = { address: ip.pod, port: 15008 };
        assert.equal(await ask({ netnsFd: other.fd, destination }), `hbone ${ip.other}`);
        assert.deepEqual(hbone.connections[0]?.local, destination);
      });

      it(`shows the application the ${ip.version} address of the client behind a transparent proxy`, async () => {
        await using server = await labelServer('app', app(pod, 8080));
        using _proxy = await transparentProxy(pod);
        const destination = { address: ip.pod, port: 8080 };
        assert.equal(await ask({ netnsFd: other.fd, destination }), `app ${ip.other}`);
        assert.equal(server.connections.length, 1);
      });

      it(`leaves a pod that calls its own ${ip.version} address alone`, async () => {
        await using _server = await labelServer('app', app(pod, 8080));
        await using _capture = await labelServer('captured', inPod(pod, 15001));
        const destination = { address: ip.pod, port: 8080 };
        assert.equal(await ask({ netnsFd: pod.fd, mark: 0, destination }), `app ${ip.pod}`);
      });

      it(`sends DNS over TCP on ${ip.version} to 15053`, async () => {
        await using dns = await labelServer('dns', {
          ...inPod(pod, 15053),
          endpoint: { address: ip.loopback, port: 15053 },
        });
        const destination = { address: ip.other, port: 53 };
        assert.match(await ask({ netnsFd: pod.fd, destination }), /^dns /);
        assert.deepEqual(dns.connections[0]?.originalDestination, destination);
      });

      it(`sends DNS over UDP on ${ip.version} to 15053 and the answer comes from where it was asked`, async () => {
        using _proxy = await udpServer(pod, ip.loopback, 15053, 'proxy');
        using _real = await udpServer(other, ip.other, 53, 'real');
        assert.equal(await query(pod, ip.other), `proxy from ${ip.other}`);
        assert.equal(await query(pod, ip.other, MARK), `real from ${ip.other}`);
      });

      it(`lets probes of the host reach the application on ${ip.version}`, async () => {
        const probe = ip.version === 'IPv4' ? OPTIONS.probeAddressV4 : OPTIONS.probeAddressV6;
        const prefix = ip.version === 'IPv4' ? '32' : '128';
        run('ip', 'addr', 'replace', `${probe}/${prefix}`, 'dev', lab.bridge, ...(prefix === '128' ? ['nodad'] : []));
        await using _server = await labelServer('app', app(pod, 8080));
        await using _capture = await labelServer('captured', inPod(pod, 15006));
        const destination = { address: ip.pod, port: 8080 };
        assert.equal(await ask({ destination, spoofedSource: probe }), `app ${probe}`);
        assert.equal(await ask({ destination }), `captured ${ip.version === 'IPv4' ? lab.nodeIpv4 : lab.nodeIpv6}`);
      });
    }

    it('leaves inbound plaintext to the application in ingress mode, and outbound captured', async () => {
      const gateway = lab.addPod('gateway');
      await applier.apply(gateway.path, { ...OPTIONS, ingressMode: true });
      await using _server = await labelServer('app', app(gateway, 8080));
      await using _inbound = await labelServer('captured inbound', inPod(gateway, 15006));
      await using _outbound = await labelServer('captured outbound', inPod(gateway, 15001));
      for (const [address, from] of [
        [gateway.ipv4, other.ipv4],
        [gateway.ipv6, other.ipv6],
      ] as const) {
        assert.equal(await ask({ netnsFd: other.fd, destination: { address, port: 8080 } }), `app ${from}`);
        assert.equal(
          await ask({ netnsFd: gateway.fd, destination: { address: from, port: 80 } }),
          `captured outbound ${address}`,
        );
      }
    });

    it('leaves DNS alone without DNS capture', async () => {
      const plain = lab.addPod('plain');
      await applier.apply(plain.path, { ...OPTIONS, dnsCapture: false });
      using _proxy = await udpServer(plain, '127.0.0.1', 15053, 'proxy');
      using _real = await udpServer(other, other.ipv4, 53, 'real');
      assert.equal(await query(plain, other.ipv4), `real from ${other.ipv4}`);
    });

    it('writes the same rules when applied twice, changes what differs, and removes all of it', async () => {
      const twice = lab.addPod('twice');
      const foreign = ['-t', 'nat', '-A', 'OUTPUT', '-p', 'tcp', '--dport', '9', '-j', 'ACCEPT'];
      twice.exec('iptables', ...foreign);
      const state = () =>
        [
          twice.exec('iptables-save'),
          twice.exec('ip6tables-save'),
          twice.exec('nft', 'list', 'ruleset'),
          ...['-4', '-6'].flatMap((family) => [
            twice.exec('ip', family, 'rule'),
            twice.exec('sh', '-c', `ip ${family} route show table 100 2>/dev/null || true`),
          ]),
        ]
          .join('\n')
          .split('\n')
          .filter((line) => !line.startsWith('#') && !/^:\w+ ACCEPT/.test(line) && line.trim() !== '')
          .map((line) => line.replace(/packets \d+ bytes \d+/, ''));
      const empty = state().filter((line) => !/^(\*|COMMIT|table|\tchain|\t\ttype|\t\}|\})/.test(line));

      await applier.apply(twice.path, OPTIONS);
      const once = state();
      assert.ok(once.some((line) => line.includes('15006')) && once.some((line) => line.includes('32764')));
      await applier.apply(twice.path, OPTIONS);
      assert.deepEqual(state(), once);

      await applier.apply(twice.path, { ...OPTIONS, dnsCapture: false, ingressMode: true });
      assert.ok(!state().some((line) => line.includes('15053') || line.includes('15006')));
      await applier.apply(twice.path, OPTIONS);
      assert.deepEqual(new Set(state()), new Set(once));

      await applier.remove(twice.path);
      const left = state().filter((line) => !/^(\*|COMMIT|table|\tchain|\t\ttype|\t\}|\})/.test(line));
      assert.deepEqual(left, empty);
      await applier.remove(twice.path);
      assert.equal(twice.exec('iptables-save', '-t', 'nat').match(/^-A/gm)?.length, 1);
    });

    it('removes rules that the other variant wrote', async () => {
      const switched = lab.addPod('switched');
      const otherBackend = backend === 'nft' ? 'iptables' : 'nft';
      await new RuleApplier(otherBackend, { run: runCommand, log: silentLogger }).apply(switched.path, OPTIONS);
      const rules = () => switched.exec('iptables-save') + switched.exec('nft', 'list', 'ruleset');
      assert.match(rules(), /15006/);
      await applier.remove(switched.path);
      assert.doesNotMatch(rules(), /15006|istio|ISTIO/);
    });

    it('fails with the name of the tool when the namespace does not exist', async () => {
      await assert.rejects(applier.apply('/run/netns/missing', OPTIONS), { code: 'RULES_TOOL_FAILED' });
    });
  });
}
