import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type SnapshotEntry, ZdsServer } from '../../../src/agent/zds-server.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { eventually } from '../../helpers/eventually.ts';
import { ACK, FakeZtunnel, HELLO, NACK } from '../../helpers/fake-ztunnel.ts';
import { ManualClock } from '../../helpers/manual-clock.ts';

const WORKLOAD = { uid: 'u1', name: 'a', namespace: 'b', serviceAccount: 'c' };

let folder = '';
let path = '';
let clock = new ManualClock();
let snapshot: SnapshotEntry[] = [];
let server: ZdsServer;
let netnsFd = -1;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zds-'));
  path = join(folder, 'ztunnel.sock');
  clock = new ManualClock();
  snapshot = [];
  netnsFd = openSync('/proc/self/ns/net', 'r');
  server = new ZdsServer(path, { clock, log: silentLogger, snapshot: () => snapshot });
});
afterEach(() => {
  server.close();
  closeSync(netnsFd);
  rmSync(folder, { recursive: true });
});

const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('ZdsServer', () => {
  it('speaks the bytes of facts ztunnel-wire 3.2', async () => {
    snapshot = [
      { kind: 'add', workload: WORKLOAD, netnsFd: () => netnsFd },
      { kind: 'keep', uid: 'u1' },
    ];
    const ztunnel = await FakeZtunnel.ready(path);
    await server.del('u1');
    assert.deepEqual(
      ztunnel.received.map(({ hex, fdCount }) => [hex, fdCount]),
      [
        ['0a0f0a02753112090a016112016' + '21a0163', 1],
        ['2a040a027531', 0],
        ['1a00', 0],
        ['120412027531', 0],
      ],
    );
  });

  it('says nothing before the hello, and drops a ztunnel that says none in 5 s', async () => {
    const ztunnel = new FakeZtunnel(path);
    await settle();
    assert.deepEqual(ztunnel.received, []);
    assert.equal(server.connectionCount, 0);
    clock.advance(5000);
    await eventually('the connection ends', () => ztunnel.ended);
  });

  it('drops a ztunnel of another version, or that does not speak protobuf', async () => {
    for (const bytes of ['0802', 'ffff']) {
      const ztunnel = new FakeZtunnel(path);
      ztunnel.send(Buffer.from(bytes, 'hex'));
      await eventually('the connection ends', () => ztunnel.ended);
      clock.advance(200);
    }
  });

  it('sends one message at a time', async () => {
    snapshot = [
      { kind: 'keep', uid: 'u1' },
      { kind: 'keep', uid: 'u2' },
    ];
    const ztunnel = new FakeZtunnel(path);
    ztunnel.answer = () => undefined;
    ztunnel.send(HELLO);
    await eventually('the first message arrives', () => ztunnel.received.length === 1);
    const added = server.add(WORKLOAD, netnsFd);
    await settle();
    assert.deepEqual(ztunnel.cases(), ['keep']);
    ztunnel.answer = () => ACK;
    ztunnel.send(ACK);
    await added;
    assert.deepEqual(ztunnel.cases(), ['keep', 'keep', 'snapshotSent', 'add']);
  });

  it('passes the refusal of ztunnel on and keeps the connection', async () => {
    const ztunnel = await FakeZtunnel.ready(path);
    ztunnel.answer = () => NACK;
    await assert.rejects(server.add(WORKLOAD, netnsFd), { code: 'ZDS_REFUSED', message: /x$/ });
    ztunnel.answer = () => ACK;
    await server.add(WORKLOAD, netnsFd);
    assert.equal(server.connectionCount, 1);
  });

  it('gives up a ztunnel that does not answer in 5 s', async () => {
    const ztunnel = await FakeZtunnel.ready(path);
    ztunnel.answer = () => undefined;
    const added = server.add(WORKLOAD, netnsFd);
    const waiting = server.add({ ...WORKLOAD, uid: 'u2' }, netnsFd);
    await eventually('the message arrives', () => ztunnel.cases().includes('add'));
    clock.advance(5000);
    await assert.rejects(added, { code: 'ZDS_TIMEOUT' });
    await assert.rejects(waiting, { code: 'ZDS_TIMEOUT' });
    await eventually('the connection ends', () => ztunnel.ended);
  });

  it('adds to the newest ztunnel and deletes from all', async () => {
    const old = await FakeZtunnel.ready(path);
    clock.advance(200);
    const fresh = await FakeZtunnel.ready(path);
    await server.add(WORKLOAD, netnsFd);
    await server.del('u1');
    assert.deepEqual(old.cases(), ['snapshotSent', 'del']);
    assert.deepEqual(fresh.cases(), ['snapshotSent', 'add', 'del']);
    fresh.connection.close();
    await eventually('the end is noticed', () => server.connectionCount === 1);
    await server.add(WORKLOAD, netnsFd);
    assert.deepEqual(old.cases(), ['snapshotSent', 'del', 'add']);
  });

  it('says that there is no ztunnel', async () => {
    await assert.rejects(server.add(WORKLOAD, netnsFd), {
      code: 'ZDS_NO_CONNECTION',
      message: /no ztunnel connection/,
    });
    await server.del('u1');
  });

  it('leaves a pod out of the snapshot that is gone when its turn comes', async () => {
    snapshot = [{ kind: 'add', workload: WORKLOAD, netnsFd: () => undefined }];
    const ztunnel = await FakeZtunnel.ready(path);
    assert.deepEqual(ztunnel.cases(), ['snapshotSent']);
  });

  it('drops a ztunnel that answers what was not asked', async () => {
    const ztunnel = await FakeZtunnel.ready(path);
    await settle();
    ztunnel.send(ACK);
    await eventually('the connection ends', () => ztunnel.ended);
  });

  it('takes five connections per second', async () => {
    const first = await FakeZtunnel.ready(path);
    const second = new FakeZtunnel(path);
    second.send(HELLO);
    await settle();
    assert.deepEqual(second.received, []);
    clock.advance(200);
    await eventually('the second is served', () => second.cases().includes('snapshotSent'));
    assert.equal(first.ended, false);
  });

  it('refuses names that do not fit a packet', async () => {
    await FakeZtunnel.ready(path);
    await assert.rejects(server.add({ ...WORKLOAD, name: 'x'.repeat(1100) }, netnsFd), { code: 'ZDS_PROTOCOL' });
  });
});
