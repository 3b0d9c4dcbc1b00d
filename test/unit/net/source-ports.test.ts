import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { portsOutside, readPortRange, SourcePorts } from '../../../src/net/source-ports.ts';

describe('ports outside the ephemeral range', () => {
  it('are those above it and the upper ones below it', () => {
    const ports = portsOutside('32768\t60999\n');
    assert.equal(ports[0], 16_384);
    assert.equal(ports.at(-1), 65_535);
    assert.ok(!ports.some((port) => port >= 32_768 && port <= 60_999));
    assert.equal(ports.length, 16_384 + 4536);
    assert.deepEqual(portsOutside('1024 65534'), [65_535]);
    assert.deepEqual(portsOutside('1024 65535'), []);
    assert.deepEqual(portsOutside('what?'), ports, 'the default of the kernel is assumed');
  });

  it('are read from the kernel', () => {
    assert.match(readPortRange(), /^\d+\s+\d+/);
  });
});

describe('SourcePorts', () => {
  it('gives each port the same turn, and tries apart from one another', () => {
    const ports = new SourcePorts('20000 60999', () => 0.5);
    const all = portsOutside('20000 60999');
    const firsts = all.map(() => ports.candidates()[0]);
    assert.equal(new Set(firsts).size, all.length);
    assert.equal(ports.candidates()[0], firsts[0], 'then from the start');
    const tries = ports.candidates();
    assert.equal(new Set(tries).size, 8);
    assert.ok(tries.every((port) => all.includes(port)));
  });

  it('leaves the choice to the kernel when its range covers all ports', () => {
    assert.deepEqual(new SourcePorts('1024 65535', () => 0.5).candidates(), []);
  });
});
