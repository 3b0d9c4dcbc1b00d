import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { enterPrivateNetns, type LabPod, NetnsLab } from '../helpers/netns.ts';
import { openSocketCount } from '../helpers/open-descriptors.ts';

enterPrivateNetns(import.meta.url);

const MARK = 0x539;

describe('a connection that a firewall refuses', () => {
  const lab = new NetnsLab();
  let client: LabPod;
  let server: LabPod;
  before(() => {
    client = lab.addPod('client');
    server = lab.addPod('server');
    // A second is more than the tests may make the kernel wait between two answers.
    server.exec('sh', '-c', 'echo 0 > /proc/sys/net/ipv4/icmp_ratelimit');
  });
  after(() => lab[Symbol.dispose]());

  for (const [answer, code] of [
    ['icmp-host-unreachable', 'CONNECT_UNREACHABLE'],
    ['icmp-admin-prohibited', 'CONNECT_UNREACHABLE'],
    ['icmp-port-unreachable', 'CONNECT_REFUSED'],
    ['tcp-reset', 'CONNECT_REFUSED'],
  ] as const) {
    for (const [place, pod, chain] of [
      ['at the destination', () => server, 'INPUT'],
      ['where it begins', () => client, 'OUTPUT'],
    ] as const) {
      it(`${place}, by ${answer}, is told so`, async () => {
        const rule = [chain, '-p', 'tcp', '--dport', '8080', '-j', 'REJECT', '--reject-with', answer];
        pod().exec('iptables', '-A', ...rule);
        const sockets = openSocketCount();
        const destination = { address: server.ipv4, port: 8080 };
        for (let count = 0; count < 3; count++) {
          await assert.rejects(dialTcp({ destination, netnsFd: client.fd, mark: MARK }), { code });
        }
        assert.equal(openSocketCount(), sockets);
        pod().exec('iptables', '-D', ...rule);
      });
    }
  }

  it('or that nobody routes is told so', async () => {
    client.exec('ip', 'route', 'add', 'unreachable', '10.9.9.0/24');
    const destination = { address: '10.9.9.9', port: 80 };
    await assert.rejects(dialTcp({ destination, netnsFd: client.fd, mark: MARK }), { code: 'CONNECT_UNREACHABLE' });
  });
});
