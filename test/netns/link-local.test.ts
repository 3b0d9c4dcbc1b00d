import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { listenTcp } from '../../src/net/tcp-listener.ts';
import { enterPrivateNetns, type LabPod, NetnsLab, run } from '../helpers/netns.ts';

enterPrivateNetns(import.meta.url);

const MARK = 0x539;

function linkLocalAddress(pod: LabPod): string {
  const shown = pod.exec('ip', '-6', '-o', 'addr', 'show', 'scope', 'link');
  const address = /fe80:[^/]+/.exec(shown)?.[0];
  assert.ok(address !== undefined, `no link-local address in ${shown}`);
  return address;
}

describe('a link-local destination without a zone', () => {
  it("is looked for at the pod's interface, whose number means another one of the node, or none", async () => {
    // The pod's interface has the number of this one, which is down: the node's first link-local address is at another.
    run('ip', 'link', 'add', 'first', 'type', 'veth', 'peer', 'second');
    using lab = new NetnsLab();
    const client = lab.addPod('client');
    const server = lab.addPod('server');
    const address = linkLocalAddress(server);
    const { promise, resolve } = Promise.withResolvers<string>();
    const listener = await listenTcp(
      { netnsFd: server.fd, endpoint: { address: '::', port: 8080 } },
      {
        onConnection: (connection) => {
          resolve(connection.peer.address);
          connection.reject();
        },
      },
    );
    try {
      const dialed = await dialTcp({ destination: { address, port: 8080 }, netnsFd: client.fd, mark: MARK });
      assert.equal(await promise, linkLocalAddress(client));
      dialed.destroy();
    } finally {
      listener.close();
    }
  });
});
