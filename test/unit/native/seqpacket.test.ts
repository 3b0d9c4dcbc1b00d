import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { closeSync, existsSync, fstatSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nativeAddon, type SeqpacketMessage } from '../../../src/native/addon.ts';
import { SeqpacketConnection, SeqpacketServer } from '../../../src/native/seqpacket.ts';
import { eventually } from '../../helpers/eventually.ts';
import { openDescriptors } from '../../helpers/open-descriptors.ts';

let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seqpacket-'));
  path = join(folder, 'socket');
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Recorder {
  readonly connection: SeqpacketConnection;
  readonly messages: SeqpacketMessage[];
  readonly ends: (Error | undefined)[];
}

function record(connection: SeqpacketConnection): Recorder {
  const messages: SeqpacketMessage[] = [];
  const ends: (Error | undefined)[] = [];
  connection.start({ onPacket: (message) => messages.push(message), onEnd: (error) => ends.push(error) });
  return { connection, messages, ends };
}

async function pair() {
  const accepted: Recorder[] = [];
  const server = new SeqpacketServer(path, (connection) => accepted.push(record(connection)));
  const client = record(SeqpacketConnection.connect(path));
  await eventually('the server accepts', () => accepted.length === 1);
  const peer = accepted[0]!;
  const close = () => {
    client.connection.close();
    peer.connection.close();
    server.close();
  };
  return { server, client, peer, close };
}

describe('SEQPACKET', () => {
  it('passes a descriptor from another process, closed on exec', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'content');
    const messages: SeqpacketMessage[] = [];
    const server = new SeqpacketServer(path, (connection) => {
      connection.start({
        onPacket: (message) => {
          messages.push(message);
          connection.send(Buffer.from('thanks')).catch(assert.fail);
        },
        onEnd: () => undefined,
      });
    });
    const script = fileURLToPath(new URL('../../helpers/seqpacket-peer.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script, path, file], { timeout: 60_000 });
    server.close();
    assert.equal(stdout, 'thanks\n');
    assert.equal(messages[0]?.bytes.toString(), 'take this');
    const [fd = -1, ...others] = messages[0]?.fds ?? [];
    assert.deepEqual(others, []);
    assert.equal(fstatSync(fd).ino, statSync(file).ino);
    assert.equal(readFileSync(fd, 'utf8'), 'content');
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
    assert.ok(Number.parseInt(flags, 8) & 0o2000000, 'close-on-exec is set');
    closeSync(fd);
  });

  it('keeps packets apart and in order', async () => {
    const { client, peer, close } = await pair();
    for (let index = 0; index < 40; index++) await client.connection.send(Buffer.from(`packet ${index}`));
    await eventually('all packets arrive', () => peer.messages.length === 40);
    assert.deepEqual(
      peer.messages.map(({ bytes }) => bytes.toString()),
      Array.from({ length: 40 }, (_, index) => `packet ${index}`),
    );
    close();
  });

  it('waits while the peer does not read', async () => {
    const accepted: SeqpacketConnection[] = [];
    const server = new SeqpacketServer(path, (connection) => accepted.push(connection));
    const client = SeqpacketConnection.connect(path);
    await eventually('the server accepts', () => accepted.length === 1);
    const sends = Array.from({ length: 2000 }, () => client.send(Buffer.alloc(1000)));
    let done = 0;
    for (const send of sends) send.then(() => done++, assert.fail);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(done < 2000, `${done} packets sent to a peer that does not read`);
    const peer = record(accepted[0]!);
    await Promise.all(sends);
    await eventually('all packets arrive', () => peer.messages.length === 2000);
    client.close();
    server.close();
  });

  it('tells the end of the peer once, without an error', async () => {
    const { client, peer, close } = await pair();
    client.connection.close();
    await eventually('the peer notices', () => peer.ends.length > 0);
    close();
    assert.deepEqual(peer.ends, [undefined]);
    await assert.rejects(client.connection.send(Buffer.from('late')), { code: 'NATIVE_PEER_GONE' });
  });

  it('refuses to send packets that the peer cannot receive or would take for the end', async () => {
    const { client, close } = await pair();
    await assert.rejects(client.connection.send(Buffer.alloc(0)), { code: 'NATIVE_TRUNCATED' });
    await assert.rejects(client.connection.send(Buffer.alloc(1025)), { code: 'NATIVE_TRUNCATED' });
    close();
  });

  it('ends the connection of a peer whose packet is cut off', async () => {
    const accepted: Recorder[] = [];
    const server = new SeqpacketServer(path, (connection) => accepted.push(record(connection)));
    const raw = nativeAddon().seqpacketConnect(path);
    assert.equal(nativeAddon().seqpacketSend(raw, Buffer.alloc(1500), -1), 0);
    await eventually('the connection ends', () => accepted[0]?.ends.length === 1);
    assert.match(accepted[0]?.ends[0]?.message ?? '', /EMSGSIZE/);
    closeSync(raw);
    server.close();
  });

  it('reports a packet longer than the buffer as truncated', () => {
    const addon = nativeAddon();
    const listenFd = addon.seqpacketListen(path, 1);
    const client = addon.seqpacketConnect(path);
    const server = addon.acceptOne(listenFd);
    const before = openDescriptors().length;
    assert.equal(addon.seqpacketSend(client, Buffer.alloc(1025), client), 0);
    const result = addon.seqpacketReceive(server);
    assert.ok(typeof result === 'number' && result < 0);
    assert.equal(openDescriptors().length, before);
    for (const fd of [listenFd, client, server]) closeSync(fd);
  });

  it('replaces a stale socket file, but no other file, and removes its own', () => {
    const addon = nativeAddon();
    closeSync(addon.seqpacketListen(path, 1));
    assert.ok(existsSync(path));
    const server = new SeqpacketServer(path, () => undefined);
    server.close();
    assert.ok(!existsSync(path));
    writeFileSync(path, 'precious');
    assert.throws(() => new SeqpacketServer(path, () => undefined), { code: 'NATIVE_ADDRESS_IN_USE' });
    assert.equal(readFileSync(path, 'utf8'), 'precious');
  });

  it('says that nobody listens', () => {
    assert.throws(() => SeqpacketConnection.connect(path), { code: 'NATIVE_PEER_GONE' });
  });
});
