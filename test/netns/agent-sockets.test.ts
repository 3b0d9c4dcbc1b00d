import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { silentLogger } from '../../src/base/logger.ts';
import { closeFd, openTcpSocket } from '../../src/native/sockets.ts';
import { dialTcp } from '../../src/net/tcp-dialer.ts';
import { bindUdp } from '../../src/net/udp-socket.ts';
import { enterPrivateNetns, NetnsLab, run } from '../helpers/netns.ts';
import { ask, labelServer, readAll } from '../helpers/netns-traffic.ts';

enterPrivateNetns(import.meta.url);

describe('sockets in other network namespaces', () => {
  const lab = new NetnsLab();
  const pod = lab.addPod('a');
  const other = lab.addPod('b');
  after(() => lab[Symbol.dispose]());

  it('listen there, while the thread stays where it was', async () => {
    const home = readlinkSync('/proc/thread-self/ns/net');
    await using server = await labelServer('pod', { netnsFd: pod.fd, endpoint: { address: pod.ipv4, port: 0 } });
    assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
    assert.equal(await ask({ destination: server.endpoint }), `pod ${lab.nodeIpv4}`);
    assert.match(pod.exec('ss', '-Hltn'), new RegExp(`:${server.endpoint.port}\\b`));
    assert.doesNotMatch(run('ss', '-Hltn'), new RegExp(`:${server.endpoint.port}\\b`));
  });

  it('leave the thread where it was when opening fails', () => {
    const home = readlinkSync('/proc/thread-self/ns/net');
    const bind = { address: '192.0.2.1', port: 80 };
    assert.throws(() => openTcpSocket({ family: 4, netnsFd: pod.fd, bind }), { code: 'NATIVE_ADDRESS_UNAVAILABLE' });
    assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
  });

  it('bind to a foreign address only with freebind', () => {
    const bind = { address: '192.0.2.1', port: 0 };
    closeFd(openTcpSocket({ family: 4, netnsFd: pod.fd, bind, freebind: true, transparent: 'required' }));
  });

  it('connect with a foreign source when the route back exists, in either family', async () => {
    for (const [source, prefix, target] of [
      ['192.0.2.7', '192.0.2.7/32', other.ipv4],
      ['2001:db8::7', '2001:db8::7/128', other.ipv6],
    ] as const) {
      // The answer has to come back to the pod, and into it as local.
      const family = source.includes(':') ? '-6' : '-4';
      const via = family === '-6' ? pod.ipv6 : pod.ipv4;
      run('nsenter', `--net=${other.path}`, 'ip', family, 'route', 'replace', prefix, 'via', via);
      pod.exec('ip', family, 'route', 'replace', 'local', prefix, 'dev', 'lo');
      await using server = await labelServer('b', { netnsFd: other.fd, endpoint: { address: target, port: 0 } });
      assert.equal(
        await ask({ netnsFd: pod.fd, mark: 0x539, destination: server.endpoint, spoofedSource: source }),
        `b ${source}`,
      );
    }
  });

  it('connect without the foreign source when it equals the destination', async () => {
    await using server = await labelServer('self', { netnsFd: pod.fd, endpoint: { address: pod.ipv4, port: 0 } });
    const warnings: string[] = [];
    const log = { ...silentLogger, warn: (text: string) => warnings.push(text) };
    const socket = await dialTcp({ netnsFd: pod.fd, destination: server.endpoint, spoofedSource: pod.ipv4 }, { log });
    socket.destroy();
    assert.deepEqual(warnings, []);
  });

  it('connect without the foreign source, and warn, when the kernel refuses it', async () => {
    await using server = await labelServer('b', { netnsFd: other.fd, endpoint: { address: other.ipv6, port: 0 } });
    const warnings: string[] = [];
    const log = { ...silentLogger, warn: (text: string) => warnings.push(text) };
    // A stream socket cannot have a multicast address.
    const options = { netnsFd: pod.fd, destination: server.endpoint, spoofedSource: 'ff02::1' };
    const socket = await dialTcp(options, { log });
    assert.equal(await readAll(socket), `b ${pod.ipv6}`);
    assert.deepEqual(warnings, ['cannot keep the source address, connecting without it']);
  });

  it('say that a port is unreachable', async () => {
    pod.exec('ip', 'route', 'add', 'unreachable', '198.51.100.0/24');
    await assert.rejects(dialTcp({ netnsFd: pod.fd, destination: { address: '198.51.100.1', port: 1 } }), {
      code: 'CONNECT_UNREACHABLE',
    });
  });

  it('carry datagrams, and receive before they send', async () => {
    const server = await bindUdp({ netnsFd: other.fd, endpoint: { address: '::', port: 0 } });
    const client = await bindUdp({ netnsFd: pod.fd, endpoint: { address: pod.ipv4, port: 0 }, mark: 5 });
    assert.ok(server.address().port > 0);
    client.send('ping', server.address().port, other.ipv4);
    const [message, from] = await once(server, 'message', { signal: AbortSignal.timeout(3000) });
    assert.equal(`${message} ${from.address}`, `ping ::ffff:${pod.ipv4}`);
    server.close();
    client.close();
  });

  it('open from several worker threads at once, each in its own namespace', async () => {
    const code = `
      const { workerData, parentPort } = require('node:worker_threads');
      import(workerData.module).then(({ openTcpSocket, closeFd, localEndpoint }) => {
        let wrong = 0;
        for (let index = 0; index < 500; index++) {
          const fd = openTcpSocket({ family: 4, netnsFd: workerData.fd, bind: { address: workerData.address, port: 0 }, listenBacklog: 1 });
          if (localEndpoint(fd).address !== workerData.address) wrong++;
          closeFd(fd);
        }
        parentPort.postMessage(wrong);
      });`;
    const module = new URL('../../src/native/sockets.ts', import.meta.url).href;
    const results = await Promise.all(
      [pod, other, pod, other].map(async ({ fd, ipv4 }) => {
        const worker = new Worker(code, { eval: true, workerData: { module, fd, address: ipv4 } });
        const [wrong] = await once(worker, 'message', { signal: AbortSignal.timeout(10_000) });
        await worker.terminate();
        return wrong;
      }),
    );
    assert.deepEqual(results, [0, 0, 0, 0]);
  });
});
