import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EchoOutcome } from '../../../src/native/icmp-echo.ts';
import { findPathMtu, type PacketProbe } from '../../../src/net/path-mtu.ts';

/** A path on which `carries` decides over each packet. */
function path(
  linkMtuBytes: number,
  carries: (bytes: number, count: number) => EchoOutcome,
  learnedMtuBytes = linkMtuBytes,
) {
  const asked: number[] = [];
  const probe: PacketProbe = {
    linkMtuBytes,
    learnedMtuBytes,
    ask: (bytes) => {
      asked.push(bytes);
      return Promise.resolve(carries(bytes, asked.length));
    },
  };
  return { probe, asked };
}

describe('the MTU of a path', () => {
  it('is that of the link where its longest packet is answered', async () => {
    const { probe, asked } = path(9000, () => 'answered');
    assert.deepEqual(await findPathMtu(probe), { kind: 'whole', bytes: 9000 });
    assert.deepEqual(asked, [100, 9000]);
  });

  it('is what the path says when it says so', async () => {
    const { probe } = path(1500, (bytes) => (bytes > 1400 ? 'too-big' : 'answered'), 1400);
    assert.deepEqual(await findPathMtu(probe), { kind: 'told', bytes: 1400, linkBytes: 1500 });
  });

  it('is searched for where long packets vanish', async () => {
    const { probe, asked } = path(1500, (bytes) => (bytes > 1437 ? 'silent' : 'answered'));
    const found = await findPathMtu(probe);
    assert.equal(found.kind, 'lost');
    assert.ok('bytes' in found && found.bytes <= 1437 && found.bytes > 1437 - 4, JSON.stringify(found));
    assert.ok(asked.length < 16, String(asked.length));
  });

  it('is searched for where what the path says is not true', async () => {
    const { probe } = path(1500, (bytes) => (bytes > 1300 ? 'too-big' : 'answered'), 1450);
    const found = await findPathMtu(probe);
    assert.ok(found.kind === 'lost' && found.bytes <= 1300 && found.bytes > 1290, JSON.stringify(found));
  });

  it('survives a lost packet, and is not known where nothing is answered', async () => {
    const lossy = path(1500, (_bytes, count) => (count % 2 === 1 ? 'silent' : 'answered'));
    assert.deepEqual(await findPathMtu(lossy.probe), { kind: 'whole', bytes: 1500 });
    const dead = path(1500, () => 'silent');
    assert.deepEqual(await findPathMtu(dead.probe), { kind: 'silent' });
    assert.deepEqual(dead.asked, [100, 100]);
  });
});
