import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { portsOutside, readPortRange, SourcePorts } from '../../../src/net/source-ports.ts';

/** Listed, to be looked at. */
function listed(rangeText: string): number[] {
  const ports = portsOutside(rangeText);
  return Array.from({ length: ports.length }, (_, index) => ports.at(index));
}

describe('ports outside the ephemeral range', () => {
  it('are those above it and the upper ones below it', () => {
    const ports = listed('32768\t60999\n');
    assert.equal(ports[0], 16_384);
    assert.equal(ports.at(-1), 65_535);
    assert.ok(!ports.some((port) => port >= 32_768 && port <= 60_999));
    assert.equal(ports.length, 16_384 + 4536);
    assert.deepEqual(listed('1024 65534'), [65_535]);
    assert.deepEqual(listed('1024 65535'), []);
    assert.equal(listed('1024 5000').length, 65_536 - 16_384, 'of those below it only the upper ones');
    assert.deepEqual(
      listed('16384 65000'),
      [...Array(535).keys()].map((index) => 65_001 + index),
    );
    assert.deepEqual(listed('what?'), ports, 'the default of the kernel is assumed');
  });

  it('are read from the kernel', () => {
    assert.match(readPortRange(), /^\d+\s+\d+/);
  });
});

describe('SourcePorts', () => {
  it('gives each port the same turn, and tries apart from one another', () => {
    const ports = new SourcePorts('20000 60999', () => 0.5);
    const all = listed('20000 60999');
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
